#!/bin/sh
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# lab.sh SENDER FORWARDER RECEIVER SENDER_MAC RECEIVER_MAC MTU: three namespaces with snd0 - bridge fwd-br - rcv0, made where they are not.
# In an existing lab it mends what a test did to it.
set -eu
sender=$1 forwarder=$2 receiver=$3

# The last that is made tells whether all is there.
if ! ip -n "$receiver" link show dev rcv0 >/dev/null 2>&1; then
    for netns in "$sender" "$forwarder" "$receiver"; do
        if [ -e "/run/netns/$netns" ]; then ip netns delete "$netns"; fi
        ip netns add "$netns"
    done
    ip -n "$forwarder" link add fwd-br type bridge stp_state 0 forward_delay 0 mcast_snooping 0
    ip -batch - <<END
link add snd0 netns $sender mtu $6 address $4 type veth peer name fwd-s netns $forwarder mtu $6
link add rcv0 netns $receiver mtu $6 address $5 type veth peer name fwd-r netns $forwarder mtu $6
END
    echo made
fi

# Without IPv6 no neighbour discovery and no MLD: the only frames on the lab's links are a test's own.
# A kernel booted without IPv6 has no such file, and nothing to switch off. "all" sets "default" too.
ipv6=/proc/sys/net/ipv6/conf/all/disable_ipv6
for netns in "$sender" "$forwarder" "$receiver"; do
    if [ -e "$ipv6" ]; then echo 1 | ip netns exec "$netns" tee "$ipv6" >/dev/null; fi
done
ip -n "$forwarder" -batch - <<END
link set fwd-br up
link set fwd-s master fwd-br up
link set fwd-r master fwd-br up
END
ip -n "$sender" link set snd0 up
ip -n "$receiver" link set rcv0 up
