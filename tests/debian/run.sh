#!/bin/sh
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# run.sh FOLDER SUITE: a bare Debian below FOLDER, and in it what a user does: the demo, which installs what it needs, and the playbook
# provision, for the suite's own kernel. Ansible, Python, tcpreplay and Scapy are the suite's. Needs root, and Debian's archive.
# It enters namespaces of its own, so its mounts go with it. No module is loaded: the running kernel is another one.
set -eu
folder=$1
suite=$2
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
# shellcheck source=tests/root.sh
. "$here/../root.sh"
if [ -z "${DEBIAN_TEST_INSIDE:-}" ]; then
    make_root "$folder" "$suite"
    # And no process of this machine is seen: one that sends would be in the demo's way.
    DEBIAN_TEST_INSIDE=1 exec unshare --mount --pid --fork --kill-child --mount-proc sh "$0" "$@"
fi

root=$(CDPATH='' cd -- "$folder" && pwd -P)/root
mount --bind "$root" "$root"  # "ip netns exec" wants the root to be a mount
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
cp -L /etc/resolv.conf "$root/etc/"  # the kept one may be another network's
clone=/srv/ansible_collections/wirespeed/trafficgen
mkdir -p "$root$clone"
(cd "$here/../.." && git ls-files -z -co --exclude-standard | tar --null -T - -cf -) | tar -xf - -C "$root$clone"

inside() {
    chroot "$root" env HOME=/root LC_ALL=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin ANSIBLE_COLLECTIONS_PATH=/srv "$@"
}

say 'The demo, in a system that has nothing of what it needs'
if inside sh -c 'command -v python3'; then wrong 'this system is not bare'; fi
# A package's Python files are compiled when they are first used, not all of them when it is installed.
inside dpkg-divert --quiet --local --rename --add /usr/bin/py3compile
ln -s /bin/true "$root/usr/bin/py3compile"
inside "$clone/run" demo /srv/demo -e demo_seconds=2 -e demo_l1_mbps=10
python3 "$here/../check_demo.py" "$root/srv/demo" 10
inside ansible-playbook --version
inside tcpreplay --version 2>&1 | head -n 1

say 'From there to provisioned, for the newest kernel that this Debian has'
kernel=$(inside apt-cache depends linux-headers-amd64 | sed -n 's/.*Depends: linux-headers-//p')
sh "$here/../../extensions/molecule/guest/files/pack.sh" "$folder/packed"
tar -xf "$folder/packed/sources.tar" -C "$root/srv"
cat >"$root/srv/hosts.yml" <<END
generators:
  hosts: {debian: {ansible_connection: local, ansible_become: false, ansible_python_interpreter: /usr/bin/python3}}
  vars:
    sources: $(cat "$folder/packed/sources.json")
    dev_tools_kernel_version: [$kernel]
    netmap_kernel_version: [$kernel]
    netmap_service: false  # no systemd runs here
    netmap_repository: /srv/sources/netmap
    netmap_version: "{{ sources.netmap }}"
    tcpreplay_url: /srv/sources/tcpreplay.tar.gz
    tcpreplay_checksum: "sha256:{{ sources.tcpreplay }}"
END
play() {
    inside ansible-playbook -i /srv/hosts.yml wirespeed.trafficgen.provision
}
play
modules=$(find "$root/lib/modules/$kernel/" -name 'netmap.ko*')
[ -n "$modules" ] || wrong 'netmap is not where that kernel looks for it'
inside /usr/local/bin/tcpreplay --version 2>&1 | grep -qx 'Optional injection method: netmap' || wrong 'no tcpreplay with netmap'

say 'Again: nothing changes'
unchanged play
say 'All as it should be'
