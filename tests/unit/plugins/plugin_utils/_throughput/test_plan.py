# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the plan of trials."""

from __future__ import annotations

import re

import pytest

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput import overhead
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._throughput.plan import plan, sizes

SCAN = {"name": "scan", "pcap": "/scan.pcap"}
TOP = [{"topspeed": True}]


def machine(netmap=True, speed=10000, frame=1514, xdp=True, takes=False):
    return {
        "methods": {
            "netmap": {"usable": netmap, "reason": "" if netmap else "netmap is not loaded", "takes": True},
            "af_xdp": {"usable": xdp, "reason": "" if xdp else "the kernel has no AF_XDP.", "takes": takes},
        },
        "link_speed_mbps": speed,
        "traffic": [{"name": "scan", "frame_size": frame, "wire_frame_size": frame + 4}],
    }


def test_the_matrix_in_its_order():
    made = plan(
        [{**SCAN, "rates": [{"mbps": 1000}]}, {"name": "other", "streams": [{"preset": "imix"}]}],
        rates=[{"pps": 5}, {"topspeed": True}],
        methods=["auto", "netmap"],
        repeats=2,
        duration=4,
        warmup=1,
    )
    trials = [one for one in made["trials"] if not one["warmup"]]
    assert made["count"] == len(trials) == (1 + 2) * 2 * 2
    assert [one["number"] for one in trials] == list(range(1, 13))
    assert [(one["traffic"], one["injection_method"], one["rate"], one["repeat"]) for one in trials[:5]] == [
        ("scan", "auto", {"mbps": 1000}, 1),
        ("scan", "auto", {"mbps": 1000}, 2),
        ("scan", "netmap", {"mbps": 1000}, 1),
        ("scan", "netmap", {"mbps": 1000}, 2),
        ("other", "auto", {"pps": 5}, 1),
    ]
    warm = [one for one in made["trials"] if one["warmup"]]
    assert [(one["number"], one["duration"], one["repeat"]) for one in warm] == [
        (number, 1, None) for number in (1, 3, 5, 7, 9, 11)
    ]


def test_the_estimate_holds_what_is_waited_for():
    once = overhead.ONCE + overhead.THE_END
    asked = {"traffic": [SCAN], "rates": TOP, "methods": ["auto"], "repeats": 10, "duration": 10}
    one = plan(**asked, pause=5)
    none = plan(**asked)
    netmap = plan(**{**asked, "methods": ["netmap"]})
    assert one["seconds"] == once + 10 * (10 + 5 + overhead.ON_TOP)
    assert none["seconds"] == once + 10 * (10 + overhead.LOOKING * overhead.OF_LOOKING + overhead.ON_TOP)
    assert netmap["seconds"] == none["seconds"] + 10 * overhead.TAKING
    # Of zero copy too a port is reset, in the host that has it.
    for takes, more in ((False, 0), (True, overhead.TAKING)):
        xdp = plan(**{**asked, "methods": ["af_xdp"]}, hosts={"a": machine(takes=takes)})
        assert xdp["seconds"] == none["seconds"] + 10 * more
    together = plan(**asked, margin=3, hosts={"a": machine(), "b": machine()})
    assert together["seconds"] == once + 10 * (10 + 3 + overhead.LOOKING * overhead.AROUND)
    # The ends of pairs try first whether they reach each other.
    probed = plan(**asked, pause=5, probed=True)
    assert probed["seconds"] == one["seconds"] + overhead.PROBE + 5 + overhead.ON_TOP
    # RFC 2544, section 23: 2 s for late frames, then 5 s to settle, of which the pause is a part.
    counted = plan(**asked, pause=3, receive_wait=2, settle=5)
    assert counted["most_seconds"] == counted["seconds"] + 10 * (2 + 5 - 3)
    assert (one["most_seconds"], one["time"]) == (one["seconds"], "about 2.9 minutes")
    assert counted["time"] == "about 2.5 minutes, or 3.2 minutes if each trial loses frames"


# Of runs in namespaces on two cores that were busy with other work, with a pause of a second: the hosts, the seconds to
# look at them and to prepare, the kinds of trials, the repeats of each, the seconds of a trial and of a warm-up, the
# trials and warm-ups that lost frames, and what the whole took.
RUNS = [
    pytest.param(1, 14.0, 26.6, 2, 1, 1, 1, 0, 44.5, id="2 trials of 1 s"),
    pytest.param(1, 22.6, 57.9, 8, 2, 1, 2, 0, 256.8, id="16 trials of 1 s"),
    pytest.param(1, 33.6, 76.4, 2, 3, 3, 2, 0, 182.3, id="6 trials of 3 s"),
    pytest.param(1, 5.1, 10.2, 1, 6, 1, 0, 0, 30.9, id="6 trials of 1 s, as if the machine were quiet"),
    pytest.param(1, 12.5, 26.9, 1, 6, 1, 0, 0, 72.8, id="6 trials of 1 s over SSH"),
    pytest.param(2, 6.4, 12.7, 1, 4, 1, 0, 0, 40.9, id="4 trials of 1 s on two hosts"),
    pytest.param(4, 8.2, 18.1, 1, 5, 1, 0, 0, 65.0, id="5 trials of 1 s on four hosts"),
    pytest.param(4, 51.5, 97.2, 1, 5, 2, 0, 0, 323.4, id="5 trials of 2 s on four hosts, the machine overloaded"),
    pytest.param(1, 5.4, 17.5, 8, 3, 3, 1, 16, 287.9, id="24 trials of 3 s, half of them beyond the device's limit"),
]


@pytest.mark.parametrize(
    ("hosts", "looked", "prepared", "kinds", "repeats", "duration", "warmup", "lossy", "took"), RUNS
)
def test_the_estimate_is_near_what_runs_took(hosts, looked, prepared, kinds, repeats, duration, warmup, lossy, took):
    made = plan(
        [SCAN],
        rates=[{"mbps": number} for number in range(1, kinds + 1)],
        methods=["auto"],
        repeats=repeats,
        duration=duration,
        warmup=warmup,
        pause=1,
        margin=3,
        receive_wait=2,
        settle=5,
        hosts={str(number): machine() for number in range(hosts)},
        looked=looked,
        prepared=prepared,
    )
    share = lossy / len(made["trials"])
    assert made["seconds"] * (1 - share) + made["most_seconds"] * share == pytest.approx(took, rel=0.3)


# The same of searches behind a limit: the trials of each, most of which lose frames.
@pytest.mark.parametrize(
    ("search", "options", "looked", "prepared", "took"),
    [pytest.param("pdr", {"max_pps": 20000, "duration_sum": 3}, 6.0, 11.6, 86.0, id="7 trials, all with loss")],
)
def test_the_estimate_of_a_search_is_near_what_it_took(search, options, looked, prepared, took):
    made = plan(
        [SCAN],
        rates=TOP,
        methods=["auto"],
        search=search,
        search_options=options,
        pause=1,
        receive_wait=2,
        settle=5,
        hosts={"a": machine()},
        looked=looked,
        prepared=prepared,
    )
    assert made["seconds"] == pytest.approx(took, rel=0.3)
    assert made["most_seconds"] > made["seconds"]
    # On a device that carried all of max_pps it took 19 s.
    fewest, most = re.match(r"([0-9]+) seconds to ([0-9]+) seconds, as the device", made["time"]).groups()
    assert float(fewest) == pytest.approx(19.1, rel=0.3)
    assert float(most) == pytest.approx(made["most_seconds"], abs=1)


def test_each_method_where_the_host_has_it():
    some = {"with": machine(), "without": machine(netmap=False), "old": machine(netmap=False, xdp=False)}
    made = plan([SCAN], rates=TOP, repeats=1, hosts=some)
    assert [(one["injection_method"], one["hosts"]) for one in made["trials"]] == [
        ("auto", ["with", "without", "old"]),
        ("af_xdp", ["with", "without"]),
        ("netmap", ["with"]),
    ]
    assert made["notes"] == [
        "old is tested without af_xdp: the kernel has no AF_XDP.",
        "without is tested without netmap: netmap is not loaded.",
        "old is tested without netmap: netmap is not loaded.",
    ]
    before = plan([SCAN], rates=TOP, repeats=1, able={name: one["methods"] for name, one in some.items()})
    assert (before["trials"], before["notes"], before["seconds"]) == (made["trials"], made["notes"], made["seconds"])
    nobody = plan([SCAN], rates=TOP, repeats=1, hosts={"old": some["old"]})
    assert [one["injection_method"] for one in nobody["trials"]] == ["auto"]
    searched = plan([SCAN], rates=TOP, search="ndr", hosts={"without": some["without"]})
    assert [one["injection_method"] for one in searched["searches"]] == ["auto", "af_xdp"]


def test_more_workers_than_a_port_has_queues():
    able = {"a": machine()["methods"], "b": machine()["methods"]}
    able["b"]["af_xdp"] |= {"most": 2, "why_most": "ens17 has 2 to send on"}
    for fine in (2, "auto"):
        plan([SCAN], rates=TOP, workers={"af_xdp": fine}, able=able)
    said = r"throughput_workers, af_xdp: 3: b can have 2, .* ens17 has 2 to send on. Set 2, or .*ethtool -L"
    with pytest.raises(TrafficgenError, match=said):
        plan([SCAN], rates=TOP, workers={"af_xdp": 3}, able=able)
    plan([SCAN], rates=TOP, methods=["auto"], workers={"af_xdp": 3}, able=able)


@pytest.mark.parametrize(
    ("method", "machines", "message"),
    [
        ("netmap", {"a": machine(), "b": machine(netmap=False)}, "netmap: b cannot send by it: netmap is not loaded"),
        ("af_xdp", {"a": machine(xdp=False)}, "af_xdp: a cannot send by it: the kernel has no AF_XDP"),
    ],
)
def test_a_method_that_was_named_and_cannot_be(method, machines, message):
    able = {name: one["methods"] for name, one in machines.items()}
    for known in ({"hosts": machines}, {"able": able}):
        with pytest.raises(TrafficgenError, match=rf"throughput_methods, {message}\. Take {method} out"):
            plan([SCAN], rates=TOP, methods=["auto", method], **known)
        assert plan([SCAN], rates=TOP, methods=["auto", "pf_packet"], **known)["notes"] == []


# 10G carries 812,744 frames of 1518 bytes on the wire a second, which tcpreplay calls 9843.95 Mbps.
def test_a_rate_above_the_line():
    asked = {"rates": [{"mbps": 10000}], "methods": ["auto"], "hosts": {"gen1": machine()}}
    assert plan([SCAN], **asked)["count"] == 3
    with pytest.raises(
        TrafficgenError,
        match=r"gen1, scan, mbps 10000: above the line rate.*at most 9843\.95, or set throughput_strict_rate",
    ):
        plan([SCAN], **asked, strict=True)


def test_percent_of_no_line():
    with pytest.raises(TrafficgenError, match=r"gen1, scan, line_rate_percent: needs the link's speed"):
        plan([SCAN], rates=[{"line_rate_percent": 50}], hosts={"gen1": machine(speed=None)})


def test_a_search_over_all_hosts_is_by_what_all_of_them_can_send():
    """One over some of them would not be over all."""
    hosts = {"gen1": machine(), "gen2": machine(netmap=False)}
    asked = {"traffic": [SCAN], "rates": TOP, "search": "ndr", "hosts": hosts}
    made = plan(**asked, search_over="all")
    assert [(one["injection_method"], one["hosts"]) for one in made["searches"]] == [
        ("auto", ["gen1", "gen2"]),
        ("af_xdp", ["gen1", "gen2"]),
    ]
    assert (
        "There is no search by netmap, as throughput_search_over is all, and not all can send by it." in made["notes"]
    )
    each = plan(**asked)["searches"]
    assert ("netmap", ["gen1"]) in [(one["injection_method"], one["hosts"]) for one in each]


def test_how_long_a_search_takes_is_not_known_before():
    made = plan([SCAN], rates=TOP, search="rfc2544", search_options={"width": 0.01})
    assert (len(made["searches"]), made["seconds"]) == (3, None)
    # No line rate is known, so this cannot be above it.
    assert plan([SCAN], rates=TOP, search="ndr", search_options={"min_pps": 1e8})["seconds"] is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"traffic": []}, "empty matrix: no traffic"),
        ({"rates": []}, "empty matrix: no rate"),
        ({"rates": None}, "empty matrix: no rate"),
        ({"methods": []}, "empty matrix: no injection method"),
        ({"repeats": 0}, "throughput_repeats 0: not a whole number from 1"),
        ({"duration": 1.5}, r"throughput_duration 1\.5: not a whole number"),
        ({"duration": True}, "throughput_duration True"),
        ({"warmup": -1}, "throughput_warmup -1"),
        ({"pause": "soon"}, "throughput_pause 'soon'"),
        ({"methods": ["auto", "auto"]}, "twice"),
        ({"methods": ["dpdk"]}, "not an injection method: dpdk"),
        ({"rates": [{"mbps": 1, "pps": 2}]}, "one key"),
        ({"rates": [{"gbps": 1}]}, "not a rate"),
        ({"rates": [{"mbps": 0}]}, "mbps 0: not a number above 0"),
        ({"rates": [{"topspeed": False}]}, "topspeed can only be true"),
        ({"traffic": [{"name": "../x", "pcap": "/a"}]}, "no name that is valid as a file name"),
        ({"traffic": [SCAN, SCAN]}, "used twice"),
        ({"traffic": [{"name": "x"}]}, "neither streams nor pcap"),
        ({"traffic": [{"name": "x", "pcap": "/a", "streams": [{}]}]}, "or both"),
        ({"traffic": [{"name": "x", "pcap": "/a", "rate": []}]}, "unknown: rate"),
        ({"traffic": [{"name": "x", "pcap": "/a", "rates": []}]}, "rates of x: an empty matrix"),
        ({"search": "fastest"}, "not a search: fastest"),
        (
            {"search": "ndr", "search_options": {"nonsense": 3}},
            "throughput_search_options: not a setting of a search.*nonsense",
        ),
        ({"search": "ndr", "search_options": {"width": 2}}, "^throughput_search_options.width 2: not a ratio"),
    ],
)
def test_what_makes_no_sense(change, message):
    asked = {"traffic": [SCAN], "rates": TOP, **change}
    with pytest.raises(TrafficgenError, match=message):
        plan(asked.pop("traffic"), **asked)


@pytest.mark.parametrize(
    ("asked", "remedy"),
    [
        ({"rates": TOP, "search": "ndr"}, r"Set throughput_search_options\.max_pps, or throughput_link_speed_mbps\."),
        ({"rates": [{"line_rate_percent": 50}]}, "Set throughput_link_speed_mbps, or"),
    ],
)
def test_a_remedy_names_what_the_role_can_set(asked, remedy):
    with pytest.raises(TrafficgenError, match=f"^a, scan, .*{remedy}"):
        plan([SCAN], **asked, hosts={"a": machine(speed=None)})


# IEEE 802.1Q: a tag is 4 bytes. A frame of RFC 2544 is 64 bytes with the 4 of its FCS.
@pytest.mark.parametrize(
    ("streams", "counted", "expected"),
    [
        ([{"preset": "tcp_port_scan"}], {"78": 64511}, (64, 78, 82)),
        ([{"layers": [{"Ether": {}}, {"Dot1Q": {"vlan": 5}}, "IPv6"]}], {118: 2}, (100, 118, 122)),
        ([{"layers": ["Ether", "IP"]}, {"layers": ["Ether", "Dot1Q", "IP"]}], {98: 1, 102: 1}, (None, 100, 104)),
        ([{"layers": ["Ether", "ARP"]}], {60: 1}, (None, 60, 64)),
        # A NIC pads ARP's 42 bytes to 60.
        ([{"layers": ["Ether", "ARP"]}], {"42": 3}, (None, 42, 64)),
        ([{"layers": ["Ether", "ARP"]}], {"42": 1, "78": 1}, (None, 60, 73)),
        ([{"preset": "imix"}], {60: 7, 566: 4, 1514: 1}, (335.8333, 349.8333, 353.8333)),
    ],
)
def test_sizes(streams, counted, expected):
    found = sizes({"streams": streams, "ip_size": None}, counted)
    assert [
        found[key] if found[key] is None else round(found[key], 4)
        for key in ("ip_size", "frame_size", "wire_frame_size")
    ] == list(expected)
    assert isinstance(found["frame_size"], int) == (expected[1] == int(expected[1]))


def test_the_ip_size_of_a_pcap_is_what_was_said():
    assert sizes({"streams": None, "ip_size": 64}, {78: 1})["ip_size"] == 64
    assert sizes({"streams": None, "ip_size": None}, {78: 1})["ip_size"] is None


@pytest.mark.parametrize(
    ("workers", "said"),
    [
        ("af_xdp", "not a dictionary"),
        ({"dpdk": 2}, "throughput_workers: not an injection method: dpdk"),
        ({"pf_packet": 0}, "not a whole number from 1 on"),
        ({"pf_packet": "auto"}, "not a whole number from 1 on"),
        ({"netmap": "auto"}, "throughput_workers, netmap: 'auto': not a whole number from 1 on"),
        ({"af_xdp": "auto"}, "throughput_workers, af_xdp: auto: several workers cannot share the recorded speed"),
    ],
)
def test_workers_that_cannot_be(workers, said):
    with pytest.raises(TrafficgenError, match=said):
        plan([SCAN], rates=[{"pps": 5}, {"multiplier": 2}], methods=["af_xdp"], workers=workers)


def test_parameters_that_af_xdp_does_not_take_are_named():
    asked = {"rates": TOP, "repeats": 1, "without": ["preload", "executable"], "hosts": {"a": machine(netmap=False)}}
    assert plan([SCAN], **asked, methods=["af_xdp"])["notes"] == [
        "af_xdp is sent without executable, preload of throughput_tcpreplay, which xdp_replay does not have."
    ]
    assert plan([SCAN], **asked, methods=["auto"])["notes"] == []


def test_workers_that_can_be():
    several = {"netmap": 2, "pf_packet": "2", "af_xdp": "auto"}
    assert plan([SCAN], rates=TOP, methods=["af_xdp"], workers=several)["count"] == 3
    # One worker keeps the recorded speed, whatever another method has.
    assert plan([SCAN], rates=[{"multiplier": 2}], methods=["auto"], workers=several)["count"] == 3
