# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module xdp_replay: what it refuses, by which nothing is sent; what it returns; what it shares with tcpreplay."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest
import yaml

from ansible_collections.wirespeed.trafficgen.plugins.doc_fragments import _replay
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic import xdp
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.link import read_link
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.note import NicNote
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.phases import PHASES
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._replay.request import ARGUMENTS
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.workers import KEYS
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp import engine, plan
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp import zero_copy as zero_copy_of
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.program import let_pass
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.request import parse_request
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._xdp.sender import Done, WorkerDone
from ansible_collections.wirespeed.trafficgen.plugins.modules import tcpreplay, xdp_replay

NAMES = "not a name of an interface"
OWN = {"duration", "mode", "workers", "burst", "marks", "fact_name"}


@pytest.fixture(scope="module")
def pcap_of(tmp_path_factory):
    """Writes a pcap of frames of these sizes, 10 ms apart."""
    folder = tmp_path_factory.mktemp("pcaps")

    def write(*sizes):
        path = folder / f"{len(list(folder.iterdir()))}.pcap"
        data = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
        for number, size in enumerate(sizes):
            macs = b"\2\0\0\0\0\2" + b"\2\0\0\0\0\1"
            data.append(struct.pack("<IIII", 0, number * 10000, size, size) + macs + bytes(size - 12))
        path.write_bytes(b"".join(data))
        return str(path)

    return write


@pytest.fixture
def given(lab, pcap_of):
    # One that was killed keeps the interface until all it had started is gone.
    return {"interface": "snd0", "netns": lab.sender, "pcaps": [pcap_of(*[60] * 20)], "lock_timeout": 5}


@pytest.fixture
def refused(refusal, lab, given):
    def refused(**parameters):
        before = lab.sent()
        said = refusal(xdp_replay, **{**given, **parameters})
        assert lab.sent() == before
        return said

    return refused


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"pcaps": []}, "pcaps: names no file"),
        ({"pcaps": ["/no/such.pcap"]}, "/no/such.pcap: no such file"),
        ({"interface": "snd9"}, "snd9: no such interface"),
        ({"interface": "netmap:snd0"}, NAMES),
        ({"mbps": 1, "pps": 1}, "mbps and pps: only one rate"),
        ({"pps": 0}, "not a number above 0"),
        ({"line_rate_percent": 50}, "Give link_speed_mbps"),
        ({"loop": 0}, "loop 0: would never end"),
        ({"loop": 0, "duration": 0}, "duration 0.0: not a number above 0"),
        ({"loop": 0, "duration": "inf"}, "duration inf: not a number above 0"),
        ({"limit": 0}, "limit 0: must be 1 at least"),
        ({"burst": 0}, "burst 0: must be 1 at least"),
        ({"workers": "0"}, "workers '0': not a number of workers. Give 1 or more, or auto."),
        ({"workers": "-1"}, "not a number of workers"),
        ({"workers": "all"}, "not a number of workers"),
        (
            {"workers": 2, "pps": 1},
            "workers 2: snd0 has 1 queue to send on, but each worker needs one. Set workers to 1",
        ),
        ({"workers": 2, "pps": 1}, "`ip netns exec {netns} ethtool -L snd0 combined 2`"),
        ({"split": "byte"}, "value of split must be one of: frame, flow"),
        ({"cpu_list": "0-9999"}, "this host has no CPU"),
        ({"start_at": 1000}, "is over since"),
        ({"fact_name": "not-a-name"}, "not a name of a variable"),
        ({"l1_mbps": 20, "link_speed_mbps": 1, "strict_rate": True}, "above the line rate"),
    ],
)
def test_a_parameter_that_it_cannot_take(refused, given, parameters, message, check_mode):
    assert message.format(**given) in refused(**parameters, _ansible_check_mode=check_mode)


def test_frames_that_are_too_long(refused, pcap_of, lab):
    assert "its MTU is 1500, too small for a frame of 1515 bytes" in refused(pcaps=[pcap_of(60, 1515)])
    subprocess.run(["ip", "-n", lab.sender, "link", "set", "snd0", "mtu", "9000"], check=True)
    try:
        assert "a frame of 4097 bytes is longer than the 4096" in refused(pcaps=[pcap_of(60, 4097)])
    finally:
        subprocess.run(["ip", "-n", lab.sender, "link", "set", "snd0", "mtu", "1500"], check=True)


def test_a_host_that_cannot(refused, monkeypatch):
    monkeypatch.setattr(xdp, "has_netmap", lambda qdisc: True)
    assert "snd0: netmap uses the interface" in refused()
    monkeypatch.setattr(xdp, "has_af_xdp", lambda: False)
    assert "has no AF_XDP (CONFIG_XDP_SOCKETS). Use the module tcpreplay" in refused()

    def refuse():
        raise TrafficgenError("needs x86_64")

    monkeypatch.setattr(plan, "check_machine", refuse)
    assert "needs x86_64" in refused()


@pytest.fixture
def zero_copy(monkeypatch):
    """A veth whose driver says that it has zero copy. It has not, which bind() tells."""
    monkeypatch.setattr(xdp, "features_of", lambda index, interface: xdp.Told(["basic", "xsk-zerocopy"], 1))
    monkeypatch.setattr(zero_copy_of, "BY_ITSELF", {"veth"})


def programs(lab):
    return read_link(Interface("snd0", lab.sender)).get("xdp", [])


@pytest.fixture
def warnings(monkeypatch):
    told = []
    monkeypatch.setattr(xdp_replay.AnsibleModule, "warn", lambda module, text, *more, **options: told.append(text))
    return told


def test_zero_copy_that_the_driver_does_not_have(refused, lab):
    said = refused(mode="zero_copy", pps=10)
    assert "mode zero_copy, snd0: not possible, because the driver veth of the kernel" in said
    assert "does not have it (its XDP features: basic, " in said and "Set mode: copy" in said


def test_zero_copy_that_the_bind_refuses(refused, lab, monkeypatch, zero_copy):
    before = settings(lab)
    for told in (xdp.Told(["xsk-zerocopy"], 1), None):  # None: a kernel before 6.3
        monkeypatch.setattr(xdp, "features_of", lambda index, interface, told=told: told)
        said = refused(mode="zero_copy", pps=10)
        assert "snd0: its queue 0 could not be used for AF_XDP with zero copy: Operation not supported." in said
        assert settings(lab) == before and not programs(lab)


def test_zero_copy_where_something_stands_against_it(refused, lab, monkeypatch, zero_copy):
    with let_pass(Interface("snd0", lab.sender)):
        before = programs(lab)
        assert f"another XDP program is on the port: number {before[0]['id']} (driver). It was left alone" in refused(
            mode="zero_copy", pps=10
        )
        assert programs(lab) == before
    monkeypatch.setattr(plan, "why_managed", lambda interface, route: "the default route is on snd0")
    said = refused(mode="zero_copy", pps=10, allow_management_interface=True)
    assert "it may reset the port, and this host is managed over it: the default route is on snd0" in said
    monkeypatch.setattr(xdp, "has_netmap", lambda qdisc: None)
    assert "netmap is in use on this host, perhaps on this port. End what uses netmap" in refused(
        mode="zero_copy", pps=10
    )


def test_auto_copies_where_the_bind_does(ask, given, lab, warnings, zero_copy):
    before, found = settings(lab), ask(xdp_replay, **given, topspeed=True, rx_interface="rcv0", rx_netns=lab.receiver)
    assert not found.get("failed"), found
    assert (found["run"]["xdp_mode"], found["stats"]["packets"], found["counters"]["rx"]["packets"]) == ("copy", 20, 20)
    assert found["counters"]["verdict"] == "consistent"
    assert "snd0: the kernel copies the frames (mode: copy), because its driver took no socket" in str(warnings)
    assert settings(lab) == before


def test_auto_copies_where_something_stands_against_it(ask, given, lab, monkeypatch, warnings, zero_copy):
    with let_pass(Interface("snd0", lab.sender)):
        before = programs(lab)
        found = ask(xdp_replay, **given, topspeed=True)
        assert (found["run"]["xdp_mode"], found["stats"]["packets"]) == ("copy", 20)
        assert "(mode: copy), because another XDP program is on the port" in warnings[0]
        # It came a moment later.
        monkeypatch.setattr(plan, "decide", lambda *ask, **found: zero_copy_of.Asked(zero_copy=True, copy=True))
        assert ask(xdp_replay, **given, topspeed=True)["run"]["xdp_mode"] == "copy"
        assert "The kernel copies the frames (mode: copy). snd0: its driver took no XDP program" in warnings[1]
        assert programs(lab) == before and len(warnings) == 2


def test_auto_does_not_ask_other_drivers(ask, given, lab, monkeypatch, warnings, zero_copy):
    monkeypatch.setattr(zero_copy_of, "BY_ITSELF", {"ixgbe"})
    monkeypatch.setattr(engine, "let_pass", lambda interface: pytest.fail("a program was put on it"))
    for mode in ("auto", "copy"):
        assert ask(xdp_replay, **given, topspeed=True, mode=mode)["run"]["xdp_mode"] == "copy"
    assert warnings == []


def test_the_link_is_waited_for_when_it_is_taken_and_bound(ask, given, lab, monkeypatch, zero_copy):
    waits = []

    def wait_for_link(interface, *, watch):
        assert NicNote(interface).read() is not None  # for whoever has to put the port back
        waits.append(len(programs(lab)))
        return len(waits) < 3

    monkeypatch.setattr(engine, "wait_for_link", wait_for_link)
    assert not ask(xdp_replay, **given, topspeed=True).get("failed") and waits == [1, 1]
    found = ask(xdp_replay, **given, topspeed=True)
    assert "its link did not come up within 30 s of being reset for zero copy. Check the cable" in found["msg"]
    assert found["changed"] is False and not programs(lab)


def test_zero_copy_takes_a_queue_to_receive_too(refused, ask, given, monkeypatch, zero_copy):
    monkeypatch.setattr(xdp, "queues", lambda interface, link: {"rx": 1, "tx": 3, "combined": None})
    said = refused(mode="zero_copy", workers=2, pps=10)
    assert "workers 2: snd0 has 1 queue to send on without copying" in said
    for mode, workers in (("zero_copy", 1), ("auto", 1), ("copy", min(3, len(os.sched_getaffinity(0))))):
        found = ask(xdp_replay, **given, mode=mode, workers="auto", pps=10, _ansible_check_mode=True)
        assert len(found["run"]["workers"]) == workers and found["run"]["xdp_mode"] is None


def test_more_workers_than_frames_one_by_one_at_the_recorded_speed(refused, monkeypatch):
    monkeypatch.setattr(xdp, "queues", lambda interface, link: {"rx": 4, "tx": 4, "combined": 4})
    for parameters in ({}, {"multiplier": 2}):
        said = refused(workers=2, **parameters, _ansible_check_mode=True)
        assert "cannot be sent at the recorded speed. Use `split: flow`" in said


@pytest.mark.parametrize(
    ("queues", "cpus", "workers"), [(4, "0", 1), (1, None, 1), (2, None, min(2, len(os.sched_getaffinity(0))))]
)
def test_as_many_workers_as_queues_and_cpus(ask, given, monkeypatch, queues, cpus, workers):
    monkeypatch.setattr(xdp, "queues", lambda interface, link: {"rx": queues, "tx": queues, "combined": None})
    asked = {**given, "workers": "auto", "pps": 10, **({"cpu_list": cpus} if cpus else {})}
    run = ask(xdp_replay, **asked, _ansible_check_mode=True)["run"]
    assert [worker["queue"] for worker in run["workers"]] == list(range(workers))


def test_the_queue_is_taken(refused, given, lab):
    bound = "import socket, struct, sys, time; sys.path.insert(0, '/'); print('bound', flush=True); time.sleep(60)"
    code = (
        f"from {plan.__name__.replace('.plan', '.queue_socket')} import QueueSocket\n"
        "from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.names import Interface\n"
        f"queue = QueueSocket(Interface('snd0', {lab.sender!r}), 0, 1 << 20)\nqueue.bind()\n{bound}"
    )
    with subprocess.Popen(["python3", "-c", code], stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout.readline() == "bound\n"
            assert "Another AF_XDP socket uses this queue. `ss --xdp -p`" in refused(pps=10)
        finally:
            other.kill()


def test_a_run(ask, given, lab):
    both = {**given, "rx_interface": "rcv0", "rx_netns": lab.receiver}
    start_at = time.time() + 3
    found = ask(xdp_replay, **both, l1_mbps=1, loop=0, duration=0.5, start_at=start_at, fact_name="mine")
    assert not found.get("failed"), found
    stats, run, [worker] = found["stats"], found["run"], found["run"]["workers"]
    # 84 bytes of the line's time each: 1488.1 in a second. A worker that was preempted for longer than the 8 ms that it
    # has after the end to send what was due before sends fewer.
    sent = stats["packets"]
    assert sent == 745 or (0 < sent < 745 and worker["largest_backlog"] > 11)
    assert stats["bytes"] == sent * 60
    assert (run["engine"], run["injection_method"], run["xdp_mode"]) == ("af_xdp", "af_xdp", "copy")
    assert (run["ended_by"], run["requested"], run["in_flight_frames"]) == ("duration", {"l1_mbps": 1.0}, 0)
    assert 0 <= run["started"] - start_at < 1
    assert (worker["queue"], worker["packets"], worker["error"]) == (0, sent, "")
    assert stats["devices"][0]["successful_packets"] == sent and stats["flows"] is None
    assert found["counters"]["verdict"] == "consistent" and found["counters"]["rx"]["packets"] == sent
    assert found["ansible_facts"]["mine"] == {part: found[part] for part in ("stats", "rates", "run", "counters")}


@pytest.mark.parametrize("module", [tcpreplay, xdp_replay], ids=["tcpreplay", "xdp_replay"])
def test_where_the_time_went(ask, given, lab, module):
    wanted = {**given, "rx_interface": "rcv0", "rx_netns": lab.receiver, "receive_wait": 0.3, "settle": 1.0}
    apart = []
    for _turn in range(3):  # on a busy host the test itself may be late
        begun = time.monotonic()
        phases = ask(module, **wanted, pps=20, limit=11, loop=0, start_at=time.time() + 2.5)["run"]["phases"]
        apart.append(time.monotonic() - begun - sum(phases.values()))
        if apart[-1] < 0.1:
            break
    assert tuple(phases) == PHASES
    assert -0.01 < apart[-1] < 0.1, apart
    # It was to start after 2.5 seconds, and the last of 11 frames at 20 a second leaves half a second later.
    assert sum(phases[name] for name in PHASES[: PHASES.index("send")]) > 2.4 and phases["send"] > 0.45


def test_few_frames_take_the_time_of_as_many(ask, given):
    # By tcpreplay's way of counting it would be 0.8.
    assert 0.85 < ask(xdp_replay, **given, pps=10, limit=5)["run"]["rate_reached"] <= 1.001


def test_the_result_is_tcpreplay_s_tree(ask, given):
    found = ask(xdp_replay, **given, pps=1000)
    theirs = yaml.safe_load(tcpreplay.RETURN)
    for part in ("stats", "rates", "run", "counters"):
        more = {"xdp_mode"} if part == "run" else set()
        assert set(found[part]) == {*theirs[part]["contains"], *more}
    of_worker = yaml.safe_load(xdp_replay.RETURN)["run"]["contains"]["workers"]["contains"]
    assert set(found["run"]["workers"][0]) == set(of_worker) == set(KEYS)
    of_theirs = theirs["run"]["contains"]["workers"]["contains"]
    assert set(of_worker) - set(of_theirs) == {"largest_backlog", "behind"}


def test_where_netmap_may_have_the_port(given, monkeypatch):
    monkeypatch.setattr(xdp, "has_netmap", lambda qdisc: None)
    warnings = []
    request = parse_request({**{name: one.get("default") for name, one in xdp_replay.ARGUMENT_SPEC.items()}, **given})
    for driver, told in (("veth", 0), ("ixgbe", 1)):
        found = SimpleNamespace(request=request, nic=SimpleNamespace(qdisc="mq"), link={"driver": driver})
        plan._check_netmap(found, warnings.append)
        assert len(warnings) == told
    assert "netmap is in use on this host" in warnings[0]


def test_a_worker_that_ends_without_a_reason_is_an_error():
    worker = WorkerDone(0, 0, 5, 300, 0, 1.0, 0.0, 0, 0.0, "")
    sender_of = SimpleNamespace(name="s")
    planned = SimpleNamespace(
        stream=SimpleNamespace(workers=1), request=SimpleNamespace(sender=sender_of), asked=zero_copy_of.COPY
    )
    sender = engine.Xdp(planned, print)
    for ended, said in (("worker 0 failed", "s: worker 0 failed."), ("exited", None), ("timeout", None)):
        complaint = sender._complaint(Done(ended, False, 0.0, 1.0, (worker,)))
        assert (complaint.message if complaint else None) == said


def test_what_nobody_lets_end(given):
    # Apart, as warnings go elsewhere where a process has loaded Ansible's controller.
    asked = json.dumps({"ANSIBLE_MODULE_ARGS": {**given, "pps": 500, "loop": 0, "duration": 60, "timeout": 1}})
    command = [sys.executable, "-m", xdp_replay.__name__]
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout.splitlines()[-1])
    assert not found.get("failed"), found
    assert (found["run"]["ended_by"], found["stats"]["interrupted"]) == ("timeout", True)
    assert 0 < found["stats"]["packets"] < 600
    assert "interrupted after the timeout of 1 s" in str(found["warnings"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_module_that_gets_a_signal(given, lab, number):
    before, link = lab.sent(), settings(lab)
    asked = {**given, "pps": 1000, "loop": 0, "duration": 60, "rx_interface": "rcv0", "rx_netns": lab.receiver}
    with subprocess.Popen(
        [sys.executable, "-m", xdp_replay.__name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        run.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": asked}))
        run.stdin.close()
        while lab.sent() < before + 100 and run.poll() is None:
            time.sleep(0.05)
        run.send_signal(number)
        said = run.stdout.read()
    if number == signal.SIGKILL:
        until = time.monotonic() + 5
        while tables(lab) and time.monotonic() < until:
            time.sleep(0.1)
        sent = lab.sent()
        time.sleep(0.2)
        assert lab.sent() == sent
    else:
        found = json.loads(said.splitlines()[-1])
        assert (found["run"]["ended_by"], found["stats"]["interrupted"]) == ("user", True)
        assert found["stats"]["packets"] == lab.sent() - before == found["counters"]["rx"]["packets"]
        assert found["counters"]["verdict"] == "consistent"
    assert (tables(lab), settings(lab)) == ("", link)


def test_a_worker_that_is_killed(ask, given, monkeypatch):
    real = engine.Sender.start

    def start(sender, watch):
        real(sender, watch)
        threading.Timer(0.5, os.kill, (sender._workers[0].pid, signal.SIGKILL)).start()

    monkeypatch.setattr(engine.Sender, "start", start)
    found = ask(xdp_replay, **given, pps=500, loop=0, duration=60)
    assert found["failed"] and "snd0: worker 0: was killed by SIGKILL" in found["msg"]
    assert (found["run"]["ended_by"], found["stats"]["interrupted"]) == ("error", False)
    assert found["stats"]["packets"] > 0 and found["counters"]["tx"]["packets"] == found["stats"]["packets"]


def tables(lab):
    """nftables' tables at the receiver."""
    command = ["ip", "netns", "exec", lab.receiver, "nft", "list", "tables", "netdev"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def settings(lab):
    """What a run may not change of the sender."""
    inside = ["ip", "netns", "exec", lab.sender]
    commands = (["ip", "-d", "link", "show", "dev", "snd0"], ["ethtool", "-k", "snd0"], ["tc", "qdisc"])
    return [subprocess.run([*inside, *one], capture_output=True, text=True, check=True).stdout for one in commands]


def test_an_interface_that_is_set_down(ask, given, lab):
    down = f"sleep 2; ip -n {lab.sender} link set snd0 down; sleep 3; ip -n {lab.sender} link set snd0 up"
    with subprocess.Popen(["sh", "-c", down]):
        found = ask(xdp_replay, **given, pps=500, loop=0, duration=60)
    assert found["failed"] and found["run"]["ended_by"] == "error"
    assert "set down" in found["msg"]
    assert found["stats"]["packets"] > 0


def documented(of):
    """The parameters as Ansible documents them, the fragment's included."""
    own = yaml.safe_load(of.DOCUMENTATION)["options"]
    shared = yaml.safe_load(_replay.ModuleDocFragment.DOCUMENTATION)["options"]
    return {name: {**shared.get(name, {}), **own.get(name, {})} for name in {**shared, **own}}


def test_what_both_modules_have_is_the_same():
    assert set(xdp_replay.ARGUMENT_SPEC) == {*ARGUMENTS, *OWN}
    for name in ARGUMENTS:
        assert xdp_replay.ARGUMENT_SPEC[name] is tcpreplay.ARGUMENT_SPEC[name]
    ours, theirs = documented(xdp_replay), documented(tcpreplay)
    assert set(ours) == set(xdp_replay.ARGUMENT_SPEC) and set(theirs) == set(tcpreplay.ARGUMENT_SPEC)
    # What each says of its own; all else stands in the fragment.
    said_by_each = {"pcaps", "mbps", "pps", "cpu_list", "timeout", "offloads", "flow_control"}
    for name, spec in ARGUMENTS.items():
        for documents in (ours[name], theirs[name]):
            documents.pop("description") if name in said_by_each else None
            assert documents["type"] == spec["type"]
            assert documents.get("default") == spec.get("default")
        assert ours[name] == theirs[name], name
