#!/bin/sh
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# networks.sh up|down: in the guest, networks to reach it by. Each begins at a port of the guest, ends in the namespace "ctl", the
# controller's side, and has another stack above the port. Number N has 198.18.N.1 and 2001:db8:0:N::1 here, ...2 there.
set -eu

if [ "$1" = down ]; then
    ip netns pids ctl 2>/dev/null | xargs -r kill || true  # one that ends between the two is no error: all that is wanted is that it has gone
    if [ -e /run/netns/ctl ]; then ip netns delete ctl; fi
    for port in m0 m1 m2 m3 m4 m5 m6 br2 bond4 bond5 br6 d9 br9 d10 br10; do
        if ip link show dev "$port" >/dev/null 2>&1; then ip link delete "$port"; fi  # the veths go with the namespace
    done
    ip link set tg1 up  # the bond's end has left it down
    exit
fi

ip netns add ctl

# here NUMBER INTERFACE, there NUMBER INTERFACE: the addresses.
here() { printf 'addr add 198.18.%s.1/24 dev %s\naddr add 2001:db8:0:%s::1/64 dev %s nodad\nlink set %s up\n' "$1" "$2" "$1" "$2" "$2"; }
there() { printf 'link set %s up\naddr add 198.18.%s.2/24 dev %s\naddr add 2001:db8:0:%s::2/64 dev %s nodad\n' "$2" "$1" "$2" "$1" "$2"; }

{
    for number in 0 1 2 3 4 5 6; do
        echo "link add m$number type veth peer name c$number netns ctl"
    done
    echo 'link set m0 up'
    # 1: the port itself. 2: a bridge.
    here 1 m1
    echo 'link add br2 type bridge forward_delay 0 mcast_snooping 0
        link set m2 master br2 up'
    here 2 br2
    # 3: a VLAN.
    echo 'link set m3 up
        link add link m3 name m3.7 type vlan id 7'
    here 3 m3.7
    # 4: a bond of two, the idle one real.
    echo 'link add bond4 type bond mode active-backup miimon 100
        link set m4 master bond4
        link set bond4 type bond primary m4
        link set tg1 down
        link set tg1 master bond4'
    here 4 bond4
    # 5: a VLAN on a bond.
    echo 'link add bond5 type bond mode active-backup miimon 100
        link set m5 master bond5
        link set bond5 up
        link add link bond5 name bond5.7 type vlan id 7'
    here 5 bond5.7
    # 6: a bridge on a VLAN.
    echo 'link set m6 up
        link add link m6 name m6.7 type vlan id 7
        link add br6 type bridge forward_delay 0 mcast_snooping 0
        link set m6.7 master br6 up'
    here 6 br6
    # The default routes, above ports without a network; IPv6's in a table that nothing looks at.
    for number in 9 10; do
        echo "link add d$number type dummy
            link add br$number type bridge forward_delay 0 mcast_snooping 0
            link set d$number master br$number up
            addr add 198.18.$number.1/24 dev br$number
            link set br$number up"
    done
    echo 'route add default via 198.18.9.2 dev br9 metric 9999
        route add ::/0 dev br10 table 700'
} | ip -batch -

{
    echo 'link set lo up
        link set c0 up'
    there 1 c1
    there 2 c2
    for number in 3 5 6; do
        echo "link set c$number up
            link add link c$number name c$number.7 type vlan id 7"
        there "$number" "c$number.7"
    done
    there 4 c4
} | ip -n ctl -batch -
