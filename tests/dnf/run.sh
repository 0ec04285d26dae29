#!/bin/sh
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# run.sh FOLDER: the roles without a kernel's part, on a system shaped like Rocky 9 below FOLDER (see make_root.sh). Needs root.
# It enters namespaces of its own, so its mounts go with it and nothing can be fetched from anywhere.
set -eu
folder=$1
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
# shellcheck source=tests/root.sh
. "$here/../root.sh"
if [ -z "${DNF_TEST_INSIDE:-}" ]; then
    unshare --mount sh "$here/make_root.sh" "$folder"
    # And no process of this machine is seen: one that sends would be in the way of "absent".
    DNF_TEST_INSIDE=1 exec unshare --mount --net --pid --fork --kill-child --mount-proc sh "$0" "$folder"
fi

root=$(CDPATH='' cd -- "$folder" && pwd -P)/root
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mount -t sysfs sysfs "$root/sys"
ip link set lo up
ip link add tgport0 type veth peer name tgport1
ip link add tgmanage type veth peer name tgother
ip address add 192.0.2.1/24 dev tgmanage
ip link set tgother up
ip link set tgmanage up
ip route add default via 192.0.2.2

# --- What the roles are given ---
kernel=5.14.0-503.22.1.el9_5.x86_64
mkdir -p "$root/srv/netmap/sys/net"
echo '/* stands in for netmap.h */' | tee "$root/srv/netmap/sys/net/netmap.h" >"$root/srv/netmap/sys/net/netmap_user.h"

# tarball NAME [OPTION…]: of the stand-in's sources, as they are in $folder/tcpreplay.
tarball() {
    name=$1
    shift
    tar -C "$folder" "$@" -czf "$root/srv/$name.tar.gz" --transform 's,^tcpreplay,tcpreplay-4.4.2,' tcpreplay
}
rm -rf "$folder/tcpreplay"
cp -R "$here/../sources/tcpreplay" "$folder/tcpreplay"
tarball good
sed -i '/cur_tx_ring = 0;/d' "$folder/tcpreplay/src/common/netmap.c"
tarball other-rings
cp "$here/../sources/tcpreplay/src/common/netmap.c" "$folder/tcpreplay/src/common/"
echo 4.4.4 >"$folder/tcpreplay/VERSION"
tarball broken-version
echo 4.4.2 >"$folder/tcpreplay/VERSION"
echo '#error this does not compile' >>"$folder/tcpreplay/src/tcpreplay.c"
# Packed by one whose number is another login's here, with a folder that all could write and a program that would run as its owner for all.
chmod 777 "$folder/tcpreplay/src"
chmod 4777 "$folder/tcpreplay/configure"
tarball broken --owner=4711 --group=4711

checksum() {
    echo "sha256:$(sha256sum "$root/srv/$1.tar.gz" | cut -d ' ' -f 1)"
}

cat >"$folder/hosts" <<END
[generators]
rocky
[systems:children]
generators
[systems:vars]
ansible_host=$root
ansible_connection=local
ansible_python_interpreter="chroot $root /usr/bin/python3"
ansible_become=false
ansible_remote_tmp=/tmp/.ansible
provision_roles=["dev_tools", "tcpreplay", "scapy"]
dev_tools_kernel_version=["$kernel"]
tcpreplay_netmap_dir=/srv/netmap
tcpreplay_url=/srv/good.tar.gz
tcpreplay_checksum=$(checksum good)
generator_interfaces=["tgport0"]
checksums={"broken": "$(checksum broken)", "broken-version": "$(checksum broken-version)", "other-rings": "$(checksum other-rings)"}
END

# --- What is looked at ---
# What is tested is the roles; mitogen only makes a task take a seventh of the time. It goes to the playbook's folder, in there as well.
strategy_plugins=$(python -c 'import ansible_mitogen; print(ansible_mitogen.__path__[0])')/plugins/strategy
mkdir -p "$root$here" "$root${here%/tests/dnf}/playbooks" "$root$HOME"
run() {
    ANSIBLE_STRATEGY=mitogen_linear ANSIBLE_STRATEGY_PLUGINS=$strategy_plugins ansible-playbook -i "$folder/hosts" -i "$here/refusals.yml" "$@"
}

play() {
    run "$@" wirespeed.trafficgen.provision
}

# The same as a user's Ansible does it.
play_plainly() {
    MODULES_RUN=$folder/modules ANSIBLE_CONNECTION_PLUGINS=$here/connection_plugins ansible-playbook -i "$folder/hosts" -i "$here/refusals.yml" -e ansible_connection=root \
        -e ansible_python_interpreter=/usr/bin/python3 "$@" wirespeed.trafficgen.provision
}

only() {
    only_role=$1
    shift
    play -e "{provision_roles: [$only_role]}" "$@"
}

# refused WORDS COMMAND…: a run that fails and says these words (a pattern; line ends are spaces).
refused() {
    words=$1
    shift
    if "$@" >"$folder/log" 2>&1; then
        cat "$folder/log"
        wrong "this was not refused: $*"
    fi
    grep -E '^(fatal|failed): ' "$folder/log" | tail -n 1 | sed 's/\\n/ /g' >"$folder/said"
    grep -q "$words" "$folder/said" || { cat "$folder/log"; wrong "it was not said: $words"; }
    cat "$folder/said"
}

# Without what Ansible itself leaves in the home folder, which is the one of this side.
files() {
    (cd "$root" && find . -xdev \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./tmp -o -path ./root -o -path ".$HOME" -o -path ./var/cache -o -path ./var/log \
        -o -path ./var/lib/dnf -o -path ./var/lib/rpm -o -name __pycache__ \) -prune -o -print | sort)
}

# Without the distribution's own key, which dnf takes in with the first signed package.
packages() {
    chroot "$root" rpm -qa | grep -v ^gpg-pubkey | sort
}

program() {
    sha256sum "$root/usr/local/bin/tcpreplay"
}

# Somebody's own, and empty so far.
mkdir "$root/etc/ansible"
files >"$folder/files"
packages >"$folder/packages"

say 'Check mode on a bare host, in another language: says what would be, and does nothing'
export LANGUAGE=de LANG=C.UTF-8
if chroot "$root" rpm -q nosuch | grep -q 'is not installed'; then wrong 'this rpm knows no German'; fi
play --check >"$folder/log" 2>&1 || { cat "$folder/log"; wrong 'check mode failed'; }
grep -q 'Would install: @development bzip2' "$folder/log" || { cat "$folder/log"; wrong 'the packages were not foretold'; }
grep -q "Would install: kernel-devel-$kernel" "$folder/log" || wrong 'the headers were not foretold'
grep -q 'Would build tcpreplay 4.4.2' "$folder/log" || wrong 'the build was not foretold'
unset LANGUAGE
files | diff "$folder/files" -
packages | diff "$folder/packages" -

say 'NetworkManager hears of the test ports, whatever fails, and not before tcpreplay is there'
cat >"$root/usr/local/bin/systemctl" <<'END'
#!/bin/sh
echo "$*" >>/var/log/systemctl
case $1 in
    is-active) echo active ;;
    show) printf 'LoadState=loaded\nActiveState=active\n' ;;
esac
END
chmod +x "$root/usr/local/bin/systemctl"
refused 'Make: .*does not compile' only tcpreplay -e tcpreplay_url=/srv/broken.tar.gz -e tcpreplay_checksum="$(checksum broken)"
find "$root/var/lib/trafficgen" ! -type l \( ! -user root -o ! -group root -o -perm /7022 \) >"$folder/log"
[ -e "$root/var/lib/trafficgen/build/tcpreplay/tree/configure" ] || wrong 'the build that failed is not there to look at'
[ ! -s "$folder/log" ] || { cat "$folder/log"; wrong 'somebody beside root can write what was unpacked'; }
[ "$(stat -c %a "$root/var/lib/trafficgen" "$root/var/lib/trafficgen/build/tcpreplay" | uniq)" = 700 ] || wrong 'others can read the build'
[ ! -e "$root/etc/NetworkManager/conf.d/90-trafficgen.conf" ] || wrong 'a build that failed has taken the port from NetworkManager'
refused 'PEP 668' only tcpreplay -e '{provision_roles: [tcpreplay, scapy], scapy_method: pip}'
grep -qx 'reload NetworkManager.service' "$root/var/log/systemctl" || wrong 'NetworkManager was not told'
rm "$root/usr/local/bin/systemctl"

say 'A system that calls CRB by another name'
sed -i 's/^\[crb\]/[builder]/' "$root/etc/yum.repos.d/crb.repo"
only scapy -e '{dev_tools_enablerepo: [builder]}'
only scapy -e provision_state=absent
sed -i 's/^\[builder\]/[crb]/' "$root/etc/yum.repos.d/crb.repo"

say 'From bare to provisioned'
play
packages >"$folder/log"
grep -qx "kernel-devel-$kernel" "$folder/log" || wrong 'the very kernel has no headers'
[ "$(grep -c '^kernel-devel' "$folder/log")" = 1 ] || wrong 'headers that nobody asked for'
grep -q '^libpcap-devel' "$folder/log" || wrong 'nothing from CRB'
grep -q '^iproute-tc' "$folder/log" || wrong 'no tc, which the module tcpreplay asks'
grep -q '^flex' "$folder/log" || wrong 'nothing from the group'
grep -qx 'enabled=0' "$root/etc/yum.repos.d/crb.repo" || wrong 'CRB stays on'
chroot "$root" /usr/local/bin/tcpreplay --version 2>&1 | grep -qx 'Optional injection method: netmap' || wrong 'no tcpreplay with netmap'
chroot "$root" /usr/local/bin/tcpreplay --rings || wrong 'this tcpreplay waits for a ring that it does not have'
chroot "$root" python3 -c 'import scapy.layers.inet' || wrong 'no Scapy'
grep -qx 'unmanaged-devices+=interface-name:tgport0' "$root/etc/NetworkManager/conf.d/90-trafficgen.conf" || wrong 'NetworkManager would take the port'
chroot "$root" /etc/ansible/facts.d/trafficgen.fact |
    python -c 'import json, sys; said = json.load(sys.stdin)["tcpreplay"]; assert said["version"] == "4.4.2" and said["built"] and said["rings"] == "all", said'

say 'Again: nothing changes, and that quickly'
begin=$(date +%s)
rm -f "$folder/modules"
unchanged play_plainly
echo "$(($(date +%s) - begin)) s"
# Each takes a guest seconds over SSH. They are the facts, a look of dev_tools, one of tcpreplay, scapy's, and what the playbook says at the end.
for module in setup host_check host_check command tcpreplay_info; do echo "AnsiballZ_$module.py"; done | diff - "$folder/modules" ||
    wrong 'other tasks were run on the host than there are in a run that changes nothing'
unchanged play --check

say 'The headers of a kernel that the repositories have no more'
refused 'Two ways out:.*dnf upgrade.*dev_tools_vault_url' only dev_tools -e '{dev_tools_kernel_version: [5.14.0-427.13.1.el9_4.x86_64]}'
only dev_tools -e '{dev_tools_kernel_version: [5.14.0-427.13.1.el9_4.x86_64], dev_tools_vault_url: "file:///srv/vault"}'
packages | grep -qx kernel-devel-5.14.0-427.13.1.el9_4.x86_64 || wrong 'the vault was not used'
refused 'Two ways out' \
    only dev_tools -e '{dev_tools_kernel_version: [5.14.0-362.8.1.el9_3.x86_64], dev_tools_vault_url: "file:///srv/unsigned"}'
if packages | grep -q 5.14.0-362; then wrong 'a package without a signature was installed'; fi

say 'What must not be built, or cannot: the program stays as it is'
program >"$folder/program"
for name in open theirs; do
    mkdir "$root/srv/$name"
    cp -R "$root/srv/netmap" "$root/srv/$name/netmap"
done
chmod 777 "$root/srv/open"
chown 4711 "$root/srv/theirs"
run "$here/refuse.yml"
run -e refused=refused_in_check_mode --check "$here/refuse.yml"
rm -r "$root/srv/open" "$root/srv/theirs"
program | diff "$folder/program" -
unchanged play

say 'A program that is gone, or another place for it: built again'
rm "$root/usr/local/bin/tcpreplay"
only tcpreplay
program | diff "$folder/program" -
only tcpreplay -e tcpreplay_prefix=/opt/tcpreplay
[ -x "$root/opt/tcpreplay/bin/tcpreplay" ] || wrong 'not where it was to go'
[ ! -e "$root/usr/local/bin/tcpreplay" ] || wrong 'the files of the build before are still there'

say 'Absent: as it was'
refused 'provision_state must be present or absent, and is abscent' play -e provision_state=abscent
play -e provision_state=absent
packages | diff "$folder/packages" -
files | diff "$folder/files" -
unchanged play -e provision_state=absent
say 'All as it should be'
