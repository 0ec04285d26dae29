# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of a trial of the result: what failed and why, what another receiver counted."""

from __future__ import annotations

import re

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.trial import line, missing, trial
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.module_utils._counters.snapshots import snap

ITEM = {
    "number": 3,
    "warmup": False,
    "traffic": "scan",
    "injection_method": "auto",
    "rate": {"mbps": 1000},
    "repeat": 1,
    "hosts": ["gen1"],
}
TRAFFIC = {"name": "scan", "ip_size": 64, "frame_size": 78, "wire_frame_size": 82, "path": "/scan.pcap"}
RAN = {
    "changed": True,
    "failed": False,
    "failed_when_result": False,
    "stats": {"packets": 1000, "pps": 100.0},
    "rates": {"pps": 100.0, "l1_mbps": 0.0816, "l2_mbps": 0.0656, "line_rate_percent": None},
    "run": {"started": 1000.25, "ended": 1010.25, "capped": False, "injection_method": "pf_packet"},
    "counters": {
        "tx": {"source": "veth tx_packets", "packets": 1000, "bytes": None},
        "rx": None,
        "loss_packets": None,
        "loss_ratio": None,
        "verdict": "consistent",
        "reason": "",
    },
}
COMMAND = {"kind": "command", "command": ["count"], "name": "the router"}


def made(ran, **more):
    return trial(ITEM, ran, host="gen1", traffic=TRAFFIC, **more)


def test_a_trial_that_went_well():
    one = made(RAN, start_at=1000.0, offset=0.2)
    assert (one["status"], one["error"], one["number"], one["repeat"]) == ("ok", None, 3, 1)
    assert one["traffic"] == {"name": "scan", "ip_size": 64, "frame_size": 78, "wire_frame_size": 82}
    assert one["stats"]["packets"] == 1000
    # The host's clock is 0.2 s ahead: what it calls 1000.25 is 1000.05.
    assert one["start_delay_seconds"] == pytest.approx(0.05)
    assert made(RAN)["start_delay_seconds"] is None
    assert line(one).startswith("gen1, trial 3: scan, auto, mbps 1000, repeat 1: 100 pps")


@pytest.mark.parametrize(
    ("ran", "error"),
    [
        ({"failed_when_result": False, "msg": "snd0: the interface is down."}, "snd0: the interface is down."),
        ({"unreachable": True, "msg": "Failed to connect"}, "the host went away: Failed to connect"),
        ({"skipped": True}, "not sent"),
        (None, "not sent"),
        (
            {"failed_when_result": False, "rc": 1, "msg": "MODULE FAILURE\nsee stderr"},
            "status 1: MODULE FAILURE see stderr",
        ),
    ],
)
def test_a_trial_that_failed(ran, error):
    one = made(ran)
    assert (one["status"], one["error"]) == ("failed", error)
    assert [one[key] for key in ("stats", "rates", "run", "counters")] == [None] * 4
    assert line(one).endswith(f": FAILED: {error}")


def test_a_trial_without_a_rate_says_no_number():
    said = line({**made(RAN), "rates": {"pps": None, "l1_mbps": None, "line_rate_percent": None}})
    assert "no rate, " in said and " pps" not in said and "L1" not in said


def test_what_a_failed_trial_measured_is_kept():
    one = made({**RAN, "msg": "snd0: the link was lost."})
    assert (one["status"], one["stats"]["packets"]) == ("failed", 1000)


def printed(count):
    return {"rc": 0, "stdout": f"{count}\n", "msg": "", "failed_when_result": False}


def test_a_command_counts():
    one = made(RAN, receiver=COMMAND, before=printed(5000), after=printed(5900))
    assert one["counters"]["rx"] == {
        "source": "the router",
        "packets": 900,
        "bytes": None,
        "host_drops": None,
        "late_packets": None,
    }
    assert (one["counters"]["loss_packets"], one["counters"]["loss_ratio"]) == (100, 0.1)
    assert one["status"] == "ok"


@pytest.mark.parametrize(
    ("before", "after", "error"),
    [
        (
            {"unreachable": True, "msg": "no route"},
            None,
            "not sent, since the receiver on the controller could not be read: the host went away: no route",
        ),
        (
            printed(1),
            {"rc": 1, "stdout": "", "stderr": "denied", "msg": "non-zero return code"},
            "could not be read after the trial: status 1: denied",
        ),
        (printed(1), printed("12 frames"), "printed '12 frames', not one whole number"),
        (printed(10), printed(9), "the router: counted 1 frames less after the run than before it"),
        (None, None, "not sent, since the receiver"),
    ],
)
def test_a_command_that_does_not_count(before, after, error):
    one = made(RAN if before and "rc" in before else {"skipped": True}, receiver=COMMAND, before=before, after=after)
    assert one["status"] == "failed"
    assert error in one["error"]


def test_a_receiver_of_a_warm_up_is_not_asked():
    assert made(RAN, receiver={"kind": "none"})["status"] == "ok"


def test_counters_of_another_host_have_to_be_counters():
    one = made(RAN, receiver={"kind": "remote", "host": "rcv"}, before={"interface": "x"}, after={"interface": "x"})
    assert one["status"] == "failed"
    assert "not a result of interface_counters_info" in one["error"]


def test_what_was_sent_is_what_the_test_began_with():
    """For example, another play wrote the file meanwhile: two ports of one machine once wrote the same one."""
    before, then = "a" * 64, "b" * 64
    ran = {
        **RAN,
        "run": {**RAN["run"], "pcaps": [{"path": "/scan.pcap", "packets": 1000, "bytes": 78000, "sha256": then}]},
    }
    one = trial(ITEM, ran, host="gen1", traffic={**TRAFFIC, "sha256": before})
    assert one["status"] == "failed"
    assert re.search(
        f"another pcap was sent than the test began with: /scan.pcap had the SHA-256 {then}, and {before} before",
        one["error"],
    )
    assert one["stats"]["packets"] == 1000
    assert trial(ITEM, ran, host="gen1", traffic={**TRAFFIC, "sha256": then})["status"] == "ok"


@pytest.mark.parametrize(
    ("counters", "kind", "said"),
    [
        ({"loss_packets": 0, "rx": {"late_packets": 0}}, "local", False),
        ({"loss_packets": 0, "rx": {"late_packets": 3}}, "local", True),
        ({"loss_packets": 7, "rx": {"late_packets": 0}}, "remote", True),
        ({"loss_packets": None, "rx": None}, "command", True),
        ({"loss_packets": None, "rx": None}, "none", False),
    ],
)
def test_frames_that_may_still_be_under_way(counters, kind, said):
    one = {"stats": {"packets": 1000}, "counters": counters}
    assert missing(one, {"kind": kind}) is said
    assert not missing({"stats": None, "counters": None}, {"kind": kind})


def test_a_command_that_was_waited_for_less_than_rfc_2544_says():
    registered = {"before": {"rc": 0, "stdout": "100"}, "after": {"rc": 0, "stdout": "1050"}}
    hasty, patient = (made(RAN, receiver=COMMAND, receive_wait=wait, **registered)["counters"] for wait in (0.5, 2.0))
    assert hasty["loss_packets"] == patient["loss_packets"] == 50
    assert "waited for 0.5 s" in hasty["reason"] and "waited for" not in patient["reason"]


@pytest.mark.parametrize(("reached", "said"), [(0.909, "only 90.9 % of the rate asked for"), (0.995, ""), (None, "")])
def test_a_rate_that_was_missed_is_said_in_the_line(reached, said):
    one = made({**RAN, "run": {**RAN["run"], "rate_reached": reached}})
    assert (said in line(one)) if said else ("of the rate" not in line(one))


SENT = {**RAN, "stats": {"packets": 1000, "pps": 100.0, "seconds": 10.0}}
TAKEN = "the receiving port also sends, by a method that takes it for itself"


def at_receiver(mac, frames=0, kind="remote", driver="ixgbe", **after):
    """Its registered readings before and after a trial in which the kernel saw ``frames``, and the MAC ``mac``."""
    before = snap(rx=None if mac is None else 50, frames=7, promiscuous=True, driver=driver)
    then = snap(
        rx=None if mac is None else 50 + mac, frames=7 + frames, promiscuous=True, driver=driver, at=12, **after
    )
    return {"before": before, "after": then, "receiver": {"kind": kind, "host": "gen2"}}


@pytest.mark.parametrize(
    ("mac", "frames", "after", "loss", "verdict", "says"),
    [
        # The kernel saw none of 1000, since netmap had the port: what the MAC counted is what arrived.
        (1000, 0, {}, 0, "consistent", f"{TAKEN} (netmap, or AF_XDP's zero copy), so its MAC counts alone."),
        (900, 0, {}, 100, "consistent", "so its MAC counts alone."),
        (None, 0, {}, None, "unknown", "ixgbe has no MAC"),
        # netmap resets a port when it gives it back, and its counters with it.
        (0, 0, {"carrier_changes": 4}, None, "unknown", "and its link went down or up meanwhile."),
    ],
)
def test_a_receiving_port_that_is_taken_by_another_sender(mac, frames, after, loss, verdict, says):
    one = made(SENT, taken=True, **at_receiver(mac, frames, **after))
    assert (one["counters"]["loss_packets"], one["counters"]["verdict"]) == (loss, verdict)
    assert says in one["counters"]["reason"]
    if mac is not None:  # what it would be with the kernel's count
        assert made(SENT, **at_receiver(mac, frames, **after))["counters"]["loss_packets"] == 1000


@pytest.mark.parametrize("verdict", ["short", "impossible"])
def test_a_verdict_on_the_sending_stays_where_the_receiving_port_is_taken(verdict):
    """What was sent is no better known for it."""
    counters = {"tx": None, "rx": None, "loss_packets": None, "loss_ratio": None, "verdict": verdict, "reason": "Why."}
    one = made({**SENT, "counters": counters}, taken=True, receiver={"kind": "local"})["counters"]
    assert (one["verdict"], one["loss_packets"]) == (verdict, None)


# Nobody empties the rings of a port that is taken: data sheets of 8254x, I210 (GPRC, MPC), and ixgbe_update_stats().
# Of i40e it is not known whether rx includes them.
@pytest.mark.parametrize(
    ("driver", "no_buffer", "loss", "verdict", "source"),
    [
        ("ixgbe", 900, 0, "consistent", "ixgbe rx_packets + rx_missed_errors"),
        ("igb", 870, 30, "consistent", "igb rx_packets + rx_missed_errors"),
        ("i40e", 900, 900, "unknown", "i40e rx_packets"),
    ],
)
def test_what_found_no_buffer_at_a_port_that_is_taken(driver, no_buffer, loss, verdict, source):
    at_port = at_receiver(100, kind="taken", driver=driver, drops=(no_buffer, 0, 0))
    counters = made(SENT, taken=True, **at_port)["counters"]
    assert (counters["loss_packets"], counters["verdict"], counters["rx"]["source"]) == (loss, verdict, source)


def test_a_port_whose_own_run_did_not_count():
    """It failed, or its counters could not be read: the frames left, and nothing is known of what arrived."""
    counters = {**RAN["counters"], "rx": None, "loss_packets": None, "loss_ratio": None}
    for arrivals in ({"before": None, "after": None}, {"before": snap(rx=50), "after": None}):
        one = made({**SENT, "counters": counters}, taken=True, receiver={"kind": "taken"}, **arrivals)
        assert one["status"] == "ok"
        assert (one["counters"]["loss_packets"], one["counters"]["verdict"]) == (None, "unknown")
        assert "and no MAC counted." in one["counters"]["reason"]


@pytest.mark.parametrize(("lost", "loss", "verdict"), [(1000, None, "unknown"), (0, 0, "consistent")])
def test_a_port_without_a_mac_on_the_sending_host_that_is_taken(lost, loss, verdict):
    rx = {"source": "nftables ingress counter", "packets": 1000 - lost}
    counters = {**RAN["counters"], "rx": rx, "loss_packets": lost, "loss_ratio": lost / 1000}
    one = made({**SENT, "counters": counters}, taken=True, receiver={"kind": "local"})["counters"]
    assert (one["loss_packets"], one["verdict"]) == (loss, verdict)
    assert ("its kernel does not see what arrives, and no MAC counted." in one["reason"]) is (loss is None)
