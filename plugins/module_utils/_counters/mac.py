# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which counter of each driver is the MAC's own: what really went onto the line or came from it.

The kernel's own counters (/sys/class/net, ``ip -s link``) do not see the frames of netmap, and some drivers fill
``tx_packets`` of ``ethtool -S`` from them too. A driver that is not in this table proves nothing here. The names were
read in the drivers' sources (Linux 6.x, drivers/net/ethernet/, the file named with each entry).

Bytes: these MACs count from the destination address through the FCS; we give frame bytes, that is without the FCS (4
each). Intel: data sheets of 8254x (13.7.31 GORC), 82599 and I210; DPDK takes the CRC off i40e's and ice's port octets
likewise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._nic.device import table_driver
from ansible_collections.wirespeed.trafficgen.plugins.module_utils._rates import FCS


@dataclass(frozen=True)
class MacCounters:
    """A driver's names of its MAC's counters. Several names of packets are added up."""

    tx: tuple[str, ...]
    rx: tuple[str, ...]
    # None if it is unknown whether it includes the FCS.
    tx_bytes: str | None = None
    rx_bytes: str | None = None
    # Good frames that reached the port and found no buffer.
    host_drops: tuple[str, ...] = ()
    # Whether rx includes host_drops. False if unknown: a loss is then not attributed to the device.
    drops_counted: bool = False
    # Whether rx is known to leave host_drops out, so that the two add up to what reached the port.
    drops_apart: bool = False
    # How many seconds the values may be old, if the driver does not read the MAC on each query.
    refresh: float = 0.0


# stats.gptc, stats.gprc (GPTC, GPRC). GPRC "does not count packets counted by the Missed Packet Count (MPC) register"
# (data sheets of 8254x 13.7.27, 82598 4.4.3.9.23, I210 8.18.26), and only those that pass the address filter.
# rx_no_buffer_count (RNBC) is left out: the frame waits in the FIFO and is lost only if it ends in MPC.
_INTEL_1G = MacCounters(
    tx=("tx_packets",),
    rx=("rx_packets",),
    tx_bytes="tx_bytes",
    rx_bytes="rx_bytes",
    host_drops=("rx_missed_errors",),
    drops_apart=True,
)

TABLE: Mapping[str, MacCounters] = {
    "e1000": _INTEL_1G,  # intel/e1000/e1000_ethtool.c (its octets: GORCL/GOTCL)
    "e1000e": _INTEL_1G,  # intel/e1000e/ethtool.c
    "igb": _INTEL_1G,  # intel/igb/igb_ethtool.c
    "igc": _INTEL_1G,  # intel/igc/igc_ethtool.c
    # intel/ixgbe/ixgbe_ethtool.c: tx_packets is NETDEV_STATS, the software's; *_nic are stats.gptc, gprc, gotc, gorc,
    # from which ixgbe_update_stats() takes the missed ones off. rx_no_dma_resources (QPRDC) comes behind the MAC.
    "ixgbe": MacCounters(
        tx=("tx_pkts_nic",),
        rx=("rx_pkts_nic",),
        tx_bytes="tx_bytes_nic",
        rx_bytes="rx_bytes_nic",
        host_drops=("rx_missed_errors",),
        drops_apart=True,
    ),
    # intel/i40e/i40e_ethtool.c, i40e_gstrings_stats: PF_STATs are the port's; there is no sum of the three kinds.
    # port.rx_dropped is GLPRT_RDPC; whether the three contain it we found nowhere.
    "i40e": MacCounters(
        tx=("port.tx_unicast", "port.tx_multicast", "port.tx_broadcast"),
        rx=("port.rx_unicast", "port.rx_multicast", "port.rx_broadcast"),
        tx_bytes="port.tx_bytes",
        rx_bytes="port.rx_bytes",
        host_drops=("port.rx_dropped",),
    ),
    # intel/ice/ice_ethtool.c, ice_gstrings_pf_stats; as i40e.
    "ice": MacCounters(
        tx=("tx_unicast.nic", "tx_multicast.nic", "tx_broadcast.nic"),
        rx=("rx_unicast.nic", "rx_multicast.nic", "rx_broadcast.nic"),
        tx_bytes="tx_bytes.nic",
        rx_bytes="rx_bytes.nic",
        host_drops=("rx_dropped.nic",),
    ),
    # mellanox/mlx5/core/en_stats.c; Documentation/networking/device_drivers/ethernet/mellanox/mlx5/counters.rst:
    # rx_packets_phy leaves out only frames with errors (FCS, size), so the port's own discards for lack of buffers are
    # in it; rx_bytes_phy has the FCS, of tx_bytes_phy it does not say.
    "mlx5_core": MacCounters(
        tx=("tx_packets_phy",),
        rx=("rx_packets_phy",),
        rx_bytes="rx_bytes_phy",
        host_drops=("rx_discards_phy", "rx_out_of_buffer"),
        drops_counted=True,
    ),
    # mellanox/mlx4/en_ethtool.c, since Linux 4.17, not on virtual functions.
    "mlx4_en": MacCounters(tx=("tx_packets_phy",), rx=("rx_packets_phy",)),
    # broadcom/bnxt/bnxt_ethtool.c, bnxt_port_stats_arr, not on virtual functions. The NIC writes them once a second
    # (stats-block-usecs).
    "bnxt_en": MacCounters(tx=("tx_good_frames",), rx=("rx_good_frames",), refresh=1.1),
    # broadcom/tg3.c, ethtool_stats_keys.
    "tg3": MacCounters(
        tx=("tx_ucast_packets", "tx_mcast_packets", "tx_bcast_packets"),
        rx=("rx_ucast_packets", "rx_mcast_packets", "rx_bcast_packets"),
        host_drops=("rx_discards",),
    ),
    # realtek/r8169_main.c, rtl8169_gstrings: the chip's tally counters.
    "r8169": MacCounters(tx=("tx_packets",), rx=("rx_packets",), host_drops=("rx_missed",)),
}

# Software drivers: tx_packets counts what the other side accepted, tx_dropped the rest: drivers/net/veth.c (veth_xmit)
# and drivers/net/loopback.c (loopback_xmit) count only what netif_rx() accepted.
SOFTWARE_TX = frozenset({"veth", "lo"})

WHY_NOT: Mapping[str, str] = {
    "virtio_net": (
        "virtio_net has no MAC: its counters are this kernel's own, and what the host does with a frame they do not"
        " tell"
    ),
    "vmxnet3": "vmxnet3 has no MAC: the hypervisor takes the frames",
    "dummy": "a dummy interface sends nowhere",
    "bridge": "a bridge counts what it was given, not what its ports sent: look at the port",
    "bond": "a bond has no MAC of its own: look at its ports",
    "vlan": "a VLAN interface has no MAC of its own: look at the interface below it",
    "macvlan": "a macvlan has no MAC of its own: look at the interface below it",
    "tun": "a tun or tap counts what its program read, which may be later than the run",
    "ixgbevf": "a virtual function has no MAC of its own",
    "igbvf": "a virtual function has no MAC of its own",
    "iavf": "a virtual function has no MAC of its own",
}


def refresh_seconds(driver: str | None) -> float:
    """How many seconds the driver's counters may lag behind the MAC."""
    known = TABLE.get(table_driver(driver))
    return known.refresh if known else 0.0


def nic_drops(driver: str | None, ethtool: Mapping[str, int], kernel: Mapping[str, int]) -> int:
    """Good frames that reached the port and found no buffer: by the driver's names, else the kernel's
    rx_missed_errors."""
    known = TABLE.get(table_driver(driver))
    found = [ethtool[name] for name in known.host_drops if name in ethtool] if known else []
    return sum(found) if found else kernel.get("rx_missed_errors", 0)


def mac_counters(
    driver: str | None, ethtool: Mapping[str, int], kernel: Mapping[str, int], *, virtual_function: bool = False
) -> dict[str, Any]:
    """What proves the sending and the receiving on this interface.

    :param ethtool: ``ethtool -S``, name to value; empty where the driver has none.
    :returns: ``{tx: {source, packets, bytes}, rx: {source, packets, bytes, drops_counted}, reason}``. ``tx`` and ``rx``
        are None if nothing proves them, and ``reason`` says why. Bytes are frame bytes (no FCS), None if unknown.
    """
    name = table_driver(driver)
    if name in SOFTWARE_TX:
        tx = {"source": f"{name} tx_packets", "packets": kernel["tx_packets"], "bytes": kernel["tx_bytes"]}
        other = "the peer's" if name == "veth" else "its own"
        reason = (
            f"rx_packets of {name} is {other} tx_packets, so it proves nothing: count with the module frame_counter"
        )
        return {"tx": tx, "rx": None, "reason": reason}
    if virtual_function:
        return {"tx": None, "rx": None, "reason": f"a virtual function of {name} has no MAC of its own"}
    known = TABLE.get(name)
    if known is None:
        why = WHY_NOT.get(name, f"the driver {driver or '(unknown)'} is not one of those whose MAC counters are known")
        return {"tx": None, "rx": None, "reason": why}
    tx_side = _side(name, known.tx, known.tx_bytes, ethtool)
    rx_side = _side(name, known.rx, known.rx_bytes, ethtool)
    if rx_side is not None:
        rx_side["drops_counted"] = known.drops_counted
    missing = sorted({counter for counter in (*known.tx, *known.rx) if counter not in ethtool})
    reason = f"ethtool -S has no {', '.join(missing)} on this {name}" if missing else ""
    return {"tx": tx_side, "rx": rx_side, "reason": reason}


def at_mac(snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """A snapshot of a port that a sender has taken from the kernel, by its MAC alone.

    Nobody empties such a port's receive rings: a few hundred frames fill them, and the rest finds no buffer. Those have
    reached the port as well, so they are counted where that can be done.
    """
    mac, drops = snapshot["mac"], snapshot["host_drops"]["nic"]
    known, rx = TABLE.get(table_driver(snapshot["driver"])), mac["rx"]
    if rx and known and known.drops_apart and drops is not None:
        source = " + ".join((rx["source"], *known.host_drops))
        more = {"source": source, "packets": rx["packets"] + drops, "bytes": None, "drops_counted": True}
        mac = {**mac, "rx": {**rx, **more}}
    return {**snapshot, "mac": mac, "test_frames": None}


def _side(driver: str, names: tuple[str, ...], octets: str | None, ethtool: Mapping[str, int]) -> dict[str, Any] | None:
    if any(name not in ethtool for name in names):
        return None
    packets = sum(ethtool[name] for name in names)
    size = ethtool[octets] - FCS * packets if octets is not None and octets in ethtool else None
    return {"source": f"{driver} {' + '.join(names)}", "packets": packets, "bytes": size}
