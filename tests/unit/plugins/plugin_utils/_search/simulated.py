# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traffic, devices and generators with known limits, for the tests of this folder."""

from __future__ import annotations

import json
import random

from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._search.search import step
from ansible_collections.wirespeed.trafficgen.plugins.plugin_utils._search.settings import check_settings

TRAFFIC = {
    "name": "scan",
    "ip_size": 64,
    "frame_size": 78,
    "wire_frame_size": 82,
    "packets": 10,
    "bytes": 780,
    "flows": 10,
    "sha256": "ab" * 32,
    "streams": None,
    "path": "/scan.pcap",
    "source_macs": ["02:00:00:00:00:01"],
}
TEN_G = 10000


def settings_of(search, **others):
    return check_settings(search, **{"wire_frame_size": 64, "link_speed_mbps": TEN_G, **others})


def device(capacity, *, constant=0.0, noise=0.0, sender=None, sender_noise=0.0, seed=0):
    """A device that forwards ``capacity`` frames a second, behind a generator that sends at most ``sender``."""
    chance = random.Random(seed)

    def measure(pps, duration):
        limit = None if sender is None else sender * (1 + chance.gauss(0, sender_noise))
        sent = round((pps if limit is None else min(pps, limit)) * duration)
        lost = max(0, sent - int(capacity * (1 + chance.gauss(0, noise)) * duration))
        lost = min(sent, lost + round(sent * constant))
        return {"asked_pps": pps, "duration": duration, "sent": sent, "lost": lost, "seconds": float(duration)}

    return measure


def devices(names, forwards, senders=None):
    """Hosts that send one load: ``forwards`` takes the frames that each sent in a trial and its seconds, and says how
    many of each arrive. A host of ``senders`` sends no more than that."""

    def measure(pps, duration):
        sent = {name: round(min(pps, (senders or {}).get(name, pps)) * duration) for name in names}
        arrived = forwards(sent, duration)
        hosts = {
            name: {
                "sent": sent[name],
                "lost": sent[name] - min(sent[name], int(arrived[name])),
                "seconds": float(duration),
            }
            for name in names
        }
        return {"asked_pps": pps, "duration": duration, "hosts": hosts}

    return measure


def shared(limit):
    """One limit for all: what is too much is lost of each as of the others."""
    return lambda sent, seconds: {
        name: count * min(1.0, limit * seconds / sum(sent.values())) for name, count in sent.items()
    }


def own(**limits):
    """A limit for each."""
    return lambda sent, seconds: {name: min(count, limits[name] * seconds) for name, count in sent.items()}


def search_for(settings, measure):
    """The whole search, over JSON as in a play. Every step sees only what the ones before have returned."""
    measured = []
    while True:
        tree = json.loads(json.dumps(step(measured, settings)))
        if tree["done"]:
            assert tree["next"] is None
            return tree["result"]
        assert tree["result"] is None
        following = tree["next"]
        assert following["number"] == len(measured) + 1
        assert isinstance(following["duration"], int)
        assert settings.min_pps <= following["pps"] <= settings.max_pps
        measured = [*tree["measured"], measure(following["pps"], following["duration"])]


def check_found(result, capacity, settings):
    """The capacity is between the bounds, and they are no further apart than stated. A frame more or less is how trials
    count."""
    goal = settings.goal
    frame = 1 / goal.initial_duration
    lower, upper = result["found"]["lower_pps"], result["found"]["upper_pps"]
    assert (result["status"], result["limited_by"], result["reason"]) == ("found", "device", "")
    assert lower * (1 - goal.loss_ratio) <= capacity + 2 * frame
    assert upper * (1 - goal.loss_ratio) >= capacity - 2 * frame
    assert 0 < upper - lower <= upper * goal.width + 2 * frame
    assert result["found"]["conditional_pps"] <= capacity + 2 * frame
