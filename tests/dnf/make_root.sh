#!/bin/sh
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# make_root.sh FOLDER: makes FOLDER/root, a system that Ansible takes for Rocky 9: dnf and rpm on Debian's packages, Rocky's
# os-release, and repositories of stub packages. It shows what the roles do with dnf; it says nothing of Rocky's own packages.
set -eu
folder=$1
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
packages=python3,ca-certificates,dnf,python3-dnf,rpm,createrepo-c,gcc,libc6-dev,make,gnupg,iproute2,rpm-i18n

# shellcheck source=tests/root.sh
. "$here/../root.sh"
make_root "$folder" bookworm "$packages"
root=$folder/root
# There is no network, so that a name server would be waited for: 6 s whenever Ansible asks for the host's full name.
echo "127.0.0.1 localhost $(uname -n)" >"$root/etc/hosts"
rm -f "$root/etc/resolv.conf"

# --- Rocky's names ---
rm -f "$root/etc/debian_version" "$root/etc/os-release"
cat >"$root/etc/os-release" <<'END'
NAME="Rocky Linux"
VERSION="9.5 (Blue Onyx)"
ID="rocky"
ID_LIKE="rhel centos fedora"
VERSION_ID="9.5"
PLATFORM_ID="platform:el9"
PRETTY_NAME="Rocky Linux 9.5 (Blue Onyx)"
END
echo 'Rocky Linux release 9.5 (Blue Onyx)' >"$root/etc/rocky-release"
ln -s rocky-release "$root/etc/redhat-release"
mkdir -p "$root/etc/rpm" "$root/etc/yum.repos.d" "$root/etc/NetworkManager/conf.d" "$root/usr/libexec" "$root/usr/src/kernels"
echo '%_dbpath /var/lib/rpm' >"$root/etc/rpm/macros"
ln -s /usr/bin/python3 "$root/usr/libexec/platform-python"

# --- Stub packages ---
cp "$here"/*.spec "$here/comps.xml" "$root/root/"
cat >"$root/root/build.sh" <<'END'
set -eu
cd /root
export HOME=/root
mkdir -p /srv/baseos /srv/crb /srv/extras /srv/epel /srv/vault /srv/unsigned
repository() {
    name=$1
    shift
    rpmbuild --quiet -bb --target x86_64 --define "_rpmdir /srv/$name" --define '_build_id_links none' "$@"
}
repository baseos baseos.spec
repository crb crb.spec
repository extras extras.spec
repository epel epel.spec
repository baseos --define 'kernel 503.40.1.el9_5' kernel.spec
repository baseos --define 'kernel 503.22.1.el9_5' kernel.spec
repository vault --define 'kernel 427.13.1.el9_4' kernel.spec
repository unsigned --define 'kernel 362.8.1.el9_3' kernel.spec

# The vault's packages are signed, as Rocky's are.
gpg --batch --quiet --passphrase '' --quick-generate-key 'Stub packages' rsa2048 sign never
mkdir -p /etc/pki/rpm-gpg
gpg --armor --export >/etc/pki/rpm-gpg/RPM-GPG-KEY-Rocky-9
rpmsign --addsign --define '__gpg /usr/bin/gpg' --key-id 'Stub packages' /srv/vault/x86_64/*.rpm >/dev/null

createrepo_c --quiet --groupfile /root/comps.xml /srv/baseos
for name in crb extras epel vault unsigned; do createrepo_c --quiet "/srv/$name"; done
rpm --initdb
dnf -q -y install rocky-release
rm -rf /root/*.spec /root/comps.xml /root/build.sh /root/rpmbuild /root/.gnupg
END
for name in baseos crb extras; do
    enabled=1
    if [ "$name" = crb ]; then enabled=0; fi
    printf '[%s]\nname=%s\nbaseurl=file:///srv/%s\ngpgcheck=0\nenabled=%s\n' "$name" "$name" "$name" "$enabled" \
        >"$root/etc/yum.repos.d/$name.repo"
done
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
chroot "$root" /bin/sh /root/build.sh
