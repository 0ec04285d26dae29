# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""netmap's rings: the repair of tcpreplay's wait for them, which program has it, and a worker on each of them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import yaml

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._errors import TrafficgenError
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap.device import Rings
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay import rings
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.rings import fix
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._tcpreplay.versions import parse_version

REPO = Path(__file__).resolve().parents[5]
SOURCE = (REPO / "tests/sources/tcpreplay/src/common/netmap.c").read_text()
ZERO, FIRST = "port->cur_tx_ring = 0;", "port->cur_tx_ring = port->first_tx_ring;"
HEAD = "bool netmap_tx_queues_empty(void *p)\n"
BEFORE, FUNCTION = SOURCE.split(HEAD)


def test_both_assignments_of_the_function_change_and_nothing_else():
    assert SOURCE.count(ZERO) == 3  # one of them is another function's
    assert fix(SOURCE) == BEFORE + HEAD + FUNCTION.replace(ZERO, FIRST)


@pytest.mark.parametrize(
    "source",
    [
        SOURCE.replace(HEAD, "bool\nnetmap_tx_queues_empty(void *p)\n"),  # 4.4.4 and later
        SOURCE.replace(HEAD, "static bool netmap_tx_queues_empty (void * p) {\n").replace(") {\n{\n", ") {\n"),
        SOURCE.replace("#include", "bool netmap_tx_queues_empty(void *p);\n#include"),  # declared before
        SOURCE + "void wait(void *p)\n{\n    while (!netmap_tx_queues_empty(p)) {\n        continue;\n    }\n}\n",
        SOURCE.replace("\n", "\r\n"),
        SOURCE.replace("port->cur_tx_ring = 0;", "port->cur_tx_ring=0 ;"),
        BEFORE + HEAD + FUNCTION.replace("    while", "    /* waits a while: } */\n    while"),
        BEFORE + HEAD + FUNCTION.replace("    return false", '    say("port->cur_tx_ring = 0; //");\n    return false'),
    ],
)
def test_other_ways_to_write_it(source):
    assert fix(source).count("port->first_tx_ring;") == 2


@pytest.mark.parametrize(
    "source",
    [
        fix(SOURCE),
        BEFORE + HEAD + FUNCTION.replace(ZERO, FIRST, 1),  # its beginning alone
    ],
)
def test_what_was_repaired_before_is_so_once(source):
    assert fix(source) == fix(SOURCE)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("", "netmap_tx_queues_empty() is not in it"),
        (SOURCE.replace("netmap_tx_queues_empty", "netmap_rings_empty"), "is not in it"),
        (SOURCE + HEAD + FUNCTION, "is 2 times in it"),
        # Moved into another function, and left out.
        (BEFORE + "bool first(void *p)\n" + FUNCTION + HEAD + "{\n    return first(p);\n}\n", "each once"),
        (BEFORE + HEAD + FUNCTION.replace(ZERO, "", 1), "each once"),
        (BEFORE + HEAD + FUNCTION.replace("return true", f"{ZERO} return true"), "each once"),
        (
            BEFORE + HEAD + FUNCTION.replace("while", f"{ZERO} while").replace(f"    {ZERO}\n            return", ""),
            "each",
        ),
        (BEFORE + HEAD + FUNCTION.replace(ZERO, "port->cur_tx_ring = 1;", 1), "each once"),
        (BEFORE + HEAD + FUNCTION.replace(ZERO, "port->cur_tx_ring = other->first_tx_ring;", 1), "each once"),
        (
            SOURCE.replace("    return false", "    port->cur_tx_ring = port->last_tx_ring;\n    return false"),
            "each once",
        ),
        # The function and its lines, but not as code.
        (f"{BEFORE}/*\n{HEAD}{FUNCTION}*/\n", "is not in it"),
        (BEFORE + HEAD + FUNCTION.replace(ZERO, f"// {ZERO}", 1), "each once"),
        (BEFORE + HEAD + FUNCTION.replace(ZERO, f"/*\n    {ZERO} */"), "each once"),
    ],
)
def test_other_sources_are_refused(source, said):
    with pytest.raises(TrafficgenError) as refused:
        fix(source)
    message = refused.value.message
    assert message.startswith("src/common/netmap.c: ") and said in message and "tcpreplay_ring_fix: false" in message


def test_the_stamp_is_the_roles():
    assert yaml.safe_load((REPO / "roles/tcpreplay/vars/main.yml").read_text())["__tcpreplay_stamp_file"] == rings.STAMP


NETMAP = parse_version("tcpreplay version: 4.4.2\nOptional injection method: netmap\n")


@pytest.fixture
def noted(tmp_path, monkeypatch, stand_in):
    """Writes the role's note of the program, which has this hash, by default its own."""

    def note(content, digest=None):
        monkeypatch.setattr(rings, "STAMP", str(tmp_path / "tcpreplay.json"))
        program = {"path": stand_in, "sha256": digest or hashlib.sha256(Path(stand_in).read_bytes()).hexdigest()}
        said = content if isinstance(content, str) else json.dumps({"program": program, **content})
        (tmp_path / "tcpreplay.json").write_text(said)

    return note


@pytest.mark.parametrize(
    ("content", "digest", "found"),
    [
        ({"rings": "all"}, None, "all"),
        ({"rings": "one"}, None, "one"),
        ({}, None, "one"),  # by a role that knew of no repair
        ({"rings": "all"}, "0" * 64, None),  # another program now
        ({"rings": "all", "program": None}, None, None),
        ({"rings": "all", "program": {}}, None, None),  # while it is being installed
        ("", None, None),
        ("[]", None, None),
        ("not JSON", None, None),
    ],
)
def test_the_rings_of_a_program(noted, stand_in, content, digest, found):
    noted(content, digest)
    assert rings.rings(stand_in, NETMAP) == found


def test_a_program_without_netmap_or_a_note_has_none(noted, stand_in, monkeypatch):
    noted({"rings": "all"})
    assert rings.rings(stand_in, parse_version("tcpreplay version: 4.4.2\nNot compiled with netmap\n")) is None
    assert rings.rings("/no/such/program", NETMAP) is None
    monkeypatch.setattr(rings, "STAMP", "/no/such/note")
    assert rings.rings(stand_in, NETMAP) is None


@pytest.fixture
def through(host, noted):
    noted({"rings": "all"})
    host.params |= {"injection_method": "netmap"}
    return host


def test_each_worker_has_a_ring(through, check_tree, stand_in):
    outcome = through.run(workers=3, loop=38706)
    check_tree(outcome.tree)
    assert outcome.error is None and through.warnings == []
    run = outcome.tree["run"]
    assert [worker["queue"] for worker in run["workers"]] == [0, 1, 2]
    options = ["--topspeed", "--loop=38706", "--preload-pcap", "--stats=1", "--netmap", "--nm-delay=0"]
    assert run["command"][:-1] == [stand_in, "--intf1=netmap:v0-0", *options]
    assert outcome.tree["stats"]["packets"] == 3 * 193533
    assert outcome.tree["stats"]["devices"][0]["interface"] == "v0"
    assert run["in_flight_frames"] == 3 * 512  # slots
    # One hold for all.
    assert [event for event in through.events if event in ("take v0", "drain", "let go")] == [
        "take v0",
        "drain",
        "let go",
    ]


def test_the_rings_go_by_the_workers_number(through, program, stand_in):
    seen = f'echo "$2" >>"$0.seen"; exec {stand_in} "$@"'
    executable = program(seen.replace("$2", "$1"))
    through_this = hashlib.sha256(Path(executable).read_bytes()).hexdigest()
    Path(rings.STAMP).write_text(json.dumps({"program": {"sha256": through_this}, "rings": "all"}))
    # The second has no frame of a single one.
    outcome = through.run(workers=2, executable=executable, limit=1)
    assert [worker["queue"] for worker in outcome.tree["run"]["workers"]] == [0, 1]
    through.run(workers=2, executable=executable)
    through.run(workers=1, executable=executable)
    asked = Path(f"{executable}.seen").read_text().split()
    assert (asked[0], sorted(asked[1:3]), asked[3]) == (
        "--intf1=netmap:v0-0",
        ["--intf1=netmap:v0-0", "--intf1=netmap:v0-1"],
        "--intf1=v0",
    )


@pytest.mark.parametrize(
    ("content", "digest", "version", "said"),
    [
        (
            {"rings": "one"},
            None,
            "4.4.2",
            "never ends on a ring of netmap other than the first.*tcpreplay_ring_fix: true",
        ),
        ({"rings": "all"}, "0" * 64, "4.4.2", "is not known.*Build it with the role.*set workers: 1"),
        ({"rings": "all"}, None, "4.5.3", "gives up the wait for it after 2 s, counts frames that never leave"),
        ({"rings": "one"}, None, "4.5.5", "writes into netmap's memory. Install 4.4.2 .*set workers: 1"),
        ({"rings": "one"}, None, "4.3.1", "nobody has tried tcpreplay 4.3.1 on a ring"),
        ({"rings": "all"}, None, "4.4.4", "issues/810"),
        ({"rings": "all"}, None, "4.5.2", "issues/810"),
    ],
)
def test_a_program_that_cannot_send_on_all_rings(through, noted, monkeypatch, content, digest, version, said):
    noted(content, digest)
    monkeypatch.setenv("STAND_IN_VERSION", version)
    with pytest.raises(TrafficgenError, match=said):
        through.plan(workers=2)
    assert not any(event.startswith("take") for event in through.events)


def test_more_workers_than_rings(through):
    through.tx_rings = 2
    assert through.plan(workers=2).error is None
    with pytest.raises(TrafficgenError) as refused:
        through.plan(workers=3)
    assert refused.value.message == (
        "workers 3: v0 has 2 rings in netmap to send on, but each worker needs one. Set workers to 2 or fewer, or give"
        " the port more rings: `ethtool -L v0 combined 3` (`rx 3 tx 3` where each kind has a number of its own, as on a"
        " veth). `ethtool -l v0` shows how many it can have."
    )
    through.tx_rings = 1
    with pytest.raises(TrafficgenError, match="v0 has 1 ring in netmap"):
        through.plan(workers=2)


def test_fewer_rings_to_receive(through):
    """tcpreplay knows `netmap:v0-1` only if there is a second ring to receive."""
    through.rx_rings = 1
    assert through.plan(workers=1).error is None
    with pytest.raises(TrafficgenError) as refused:
        through.plan(workers=2)
    assert refused.value.message.startswith(
        "workers 2: v0 has 1 ring in netmap to receive, and tcpreplay sends only on rings whose number these have,"
        " too. Set workers to 1, or give the port more rings: `ethtool -L v0 combined 2` (`rx 2 tx 2` where"
    )
    through.rx_rings = 5
    assert through.plan(workers=4).error is None


def test_rings_that_go_before_it_takes_the_port(through, monkeypatch):
    through.tx_rings = 1
    monkeypatch.setattr(rings, "rings_of", lambda interface: Rings(2, 256, 2, 256))
    with pytest.raises(TrafficgenError, match="workers 2: v0 has 1 ring in netmap"):
        through.run(workers=2)
    assert through.events[-1] == "take v0"


@pytest.mark.parametrize(("workers", "what"), [(1, "queues"), (2, "queues"), (2, "slots")])
def test_rings_that_change_end_the_run(through, monkeypatch, workers, what):
    monkeypatch.setenv("STAND_IN", "wait")
    look = iter([4, 4])
    monkeypatch.setattr(type(through), what, property(lambda host: next(look, 2)))
    outcome = through.run(workers=workers)
    assert outcome.error.message == (
        "v0: it was given other rings while tcpreplay sent, which was ended. Find out who did that, and send again."
    )
    assert outcome.tree["run"]["ended_by"] == "error"
    assert outcome.tree["run"]["ended"] - outcome.tree["run"]["started"] < 5


def test_rings_that_change_at_the_very_end(through, monkeypatch):
    look = iter([4, 4])
    monkeypatch.setattr(type(through), "queues", property(lambda host: next(look, 2)))
    outcome = through.run()
    assert "given other rings" in outcome.error.message and outcome.tree["run"]["ended_by"] == "error"


@pytest.mark.parametrize("what", ["queues", "slots"])
def test_rings_that_change_before_it_sends(through, monkeypatch, what):
    """Others than netmap took, as after `ethtool -L` or -G while it waits for the link or for its start."""
    monkeypatch.setattr(through, "wait_for_link", lambda watch, delay: setattr(through, what, 2))
    with pytest.raises(TrafficgenError, match="v0: it was given other rings before anything was sent"):
        through.run(workers=2)


@pytest.mark.parametrize("what", ["queues", "slots"])
@pytest.mark.parametrize("known", [[4, None, None, None], [None, 4, 4, 4]])
def test_rings_that_cannot_be_read_are_no_others(through, monkeypatch, what, known):
    look = iter(known)
    monkeypatch.setattr(type(through), what, property(lambda host: next(look, None)))
    assert through.run().error is None


@pytest.mark.parametrize("name", ["a-b", "a!b", "a^", "a{1"])
def test_a_name_that_tcpreplay_would_take_for_a_ring(through, name):
    through.add(name)
    with pytest.raises(
        TrafficgenError, match=f"interface {name[:1]}.*for a ring of netmap. Rename it".replace("^", "")
    ):
        through.plan(interface=name)
    assert through.plan(interface=name, injection_method="pf_packet").error is None
