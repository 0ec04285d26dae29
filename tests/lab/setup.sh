#!/bin/sh
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Makes a guest of a minimal Debian: run by mmdebstrap in the new root, with packages.txt and the public key beside it.
set -eu
here=$(dirname "$0")
export DEBIAN_FRONTEND=noninteractive

# --- Two kernels: the newest one, and the newest of another release that comes with headers; or that of backports, and the newest one ---
suite=$1
newest() { apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: linux-image-//p'; }
kernel=$(newest)
case $suite in
    *-backports)
        sed -n "s/ ${suite%-backports} main/ $suite main/p" /etc/apt/sources.list | grep -v security | sort -u >/etc/apt/sources.list.d/backports.list
        printf 'Package: linux-*\nPin: release n=%s\nPin-Priority: 500\n' "$suite" >/etc/apt/preferences.d/backports
        apt-get -q update
        other=$kernel
        kernel=$(newest)
        ;;
    *)
        other=$(apt-cache pkgnames linux-headers- | sed -n 's/^linux-headers-\([0-9].*[0-9]-amd64\)$/\1/p' |
            grep -F "$(echo "$kernel" | cut -d. -f1,2)." | sort -rV |
            while read -r release; do
                # While a new release comes into the archive, its headers may be there before its image, which is then a name without a version.
                if [ "$release" != "$kernel" ] && LC_ALL=C apt-cache policy "linux-image-$release" | grep -q 'Candidate: [0-9]'; then
                    echo "$release"
                    break
                fi
            done)
        ;;
esac
if [ -z "$kernel" ] || [ -z "$other" ]; then
    echo "setup.sh: two kernels are needed. There are: $kernel, $other" >&2
    exit 1
fi

# Of some 2,000 modules a kernel, those that a guest can have a use for: reading all of them is most of what depmod costs there.
# The headers have an empty file for each option of the kernel, 6,000 of them, which only tell a kernel's own build what to do again.
{
    printf 'path-exclude=%s/lib/modules/*/kernel/*\n' '' /usr
    for kept in lib crypto arch/x86/crypto/chacha-x86_64.ko arch/x86/crypto/poly1305-x86_64.ko arch/x86/crypto/curve25519-x86_64.ko \
        drivers/virtio drivers/block/virtio_blk.ko drivers/block/loop.ko drivers/char/hw_random drivers/firmware/qemu_fw_cfg.ko drivers/i2c/algos \
        drivers/ptp/ptp_kvm.ko drivers/dca drivers/gnss/gnss.ko drivers/vdpa/vdpa.ko drivers/net/bonding drivers/net/mdio drivers/net/phy/libphy.ko drivers/net/phy/mdio_devres.ko drivers/net/mdio.ko \
        drivers/net/mii.ko drivers/net/dummy.ko drivers/net/veth.ko drivers/net/tun.ko drivers/net/ifb.ko drivers/net/macvlan.ko \
        drivers/net/virtio_net.ko drivers/net/net_failover.ko drivers/net/vmxnet3 drivers/net/ethernet/intel net/802 net/8021q net/bridge net/core net/ife \
        net/ipv4 net/ipv6 net/llc net/netfilter net/packet net/psample net/sched net/tls net/xfrm fs/ext4 fs/jbd2 fs/fuse fs/autofs \
        fs/configfs fs/mbcache.ko fs/binfmt_misc.ko; do
        case $kept in *.ko) kept="$kept*" ;; *) kept="$kept/*" ;; esac
        printf 'path-include=%s/lib/modules/*/kernel/%s\n' '' "$kept" /usr "$kept"
    done
    echo 'path-exclude=/usr/src/linux-headers-*/include/config/*'
    echo 'path-include=/usr/src/linux-headers-*/include/config/*.*'
    echo force-unsafe-io
} >/etc/dpkg/dpkg.cfg.d/lab
mkdir -p /etc/initramfs-tools/conf.d /usr/share/initramfs-tools/modules.d
echo 'MODULES=list' >/etc/initramfs-tools/conf.d/lab
printf '%s\n' virtio_pci virtio_blk ext4 >/usr/share/initramfs-tools/modules.d/lab

list() { sed -n "s/#.*//; s/KERNEL/$kernel/; s/OTHER/$other/; s/^$1//p" "$here/packages.txt"; }
installed=$(list '' | grep -v '^offer ' | tr '\n' ' ')
offered=$(list 'offer ' | tr '\n' ' ')
# What the other kernel's headers share with those of all architectures is here already: 10,000 files, which take a guest a minute to unpack.
# shellcheck disable=SC2086  # lists of words
apt-get -q -y --no-install-recommends install $installed "linux-image-$kernel" "linux-image-$other" "linux-headers-${other%-amd64}-common"
# A module that is kept needs only what is kept.
depmod -e -E "/usr/src/linux-headers-$kernel/Module.symvers" -n "$kernel" 2>&1 >/dev/null | grep -F 'unknown symbol' && exit 1

# --- The guest's own repository ---
mkdir -p /srv/packages
# Only what is not installed yet is fetched, the dependencies with it.
# shellcheck disable=SC2086
apt-get -q -y --no-install-recommends --download-only install $offered
cp /var/cache/apt/archives/*.deb /srv/packages/
# mmdebstrap cleans apt's cache itself. What is installed has no business here.
for package in /srv/packages/*.deb; do
    name=$(dpkg-deb -f "$package" Package)
    if dpkg -s "$name" >/dev/null 2>&1; then rm "$package"; fi
done
(cd /srv/packages && dpkg-scanpackages -m . >Packages)
rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*
echo 'deb [trusted=yes] file:/srv/packages ./' >/etc/apt/sources.list.d/lab.list
apt-get -q update

# --- The system ---
echo lab >/etc/hostname
printf '127.0.0.1 localhost\n127.0.1.1 lab\n' >/etc/hosts
echo '/dev/vda / ext4 noatime 0 1' >/etc/fstab
: >/etc/machine-id
# Names by MAC address: the management port and the two test ports, which stay what they are under any driver.
n=0
for port in mgmt0 tg0 tg1; do
    printf '[Match]\nMACAddress=02:00:00:00:10:0%s\n[Link]\nName=%s\n' "$n" "$port" >"/etc/systemd/network/10-$port.link"
    n=$((n + 1))
done
printf '[Match]\nName=mgmt0\n[Network]\nAddress=10.0.2.15/24\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n' \
    >/etc/systemd/network/20-mgmt0.network
printf '[Match]\nName=tg0 tg1\n[Link]\nRequiredForOnline=no\n[Network]\nLinkLocalAddressing=no\nIPv6AcceptRA=no\nLLDP=no\n' \
    >/etc/systemd/network/20-test.network
# Nothing of a virgin machine's own may disturb a test's frames or its time.
systemctl -q enable systemd-networkd ssh
systemctl -q mask apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer dpkg-db-backup.timer \
    systemd-networkd-wait-online.service systemd-timesyncd.service
# Each unit costs a boot without KVM half a second or more: those that nothing in a guest uses.
systemctl -q mask getty.target getty-static.service systemd-binfmt.service systemd-network-generator.service \
    systemd-pstore.service systemd-random-seed.service systemd-tmpfiles-clean.timer systemd-update-utmp.service \
    systemd-update-utmp-runlevel.service dev-hugepages.mount dev-mqueue.mount proc-sys-fs-binfmt_misc.automount sys-fs-fuse-connections.mount \
    sys-kernel-config.mount sys-kernel-tracing.mount
# A package's Python files are compiled when they are first used, not all of them when it is installed: for Scapy that takes most of a minute.
dpkg-divert --quiet --local --rename --add /usr/bin/py3compile
ln -s /bin/true /usr/bin/py3compile

useradd --create-home --shell /bin/bash lab
echo 'lab ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/lab
for home in /root /home/lab; do
    mkdir -p "$home/.ssh"
    cp "$here/key.pub" "$home/.ssh/authorized_keys"
    chmod 700 "$home/.ssh"
done
chown -R lab: /home/lab/.ssh
printf 'UseDNS no\nPrintMotd no\nMaxStartups 50\n' >/etc/ssh/sshd_config.d/lab.conf

# What boots: lab.py takes it out of the image.
printf '%s\n%s\n' "$kernel" "$other" >/boot/releases
