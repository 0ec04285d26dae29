#!/bin/sh
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# pack.sh FOLDER: put sources.tar there, all that the guest builds from, and sources.json: the stand-in's commits and the tarball's checksum.
# With them a tcpreplay that waits instead of sending, and a pcap of one frame of zeros.
set -eu
sources=$(CDPATH='' cd -- "$(dirname -- "$0")/../../../../tests/sources" && pwd)
folder=$1
rm -rf "$folder/sources"
mkdir -p "$folder/sources"
commits=$(sh "$sources/netmap_repository.sh" "$folder/sources/netmap")
git -C "$folder/sources/netmap" checkout -q HEAD~1
tar -C "$sources" -czf "$folder/sources/tcpreplay.tar.gz" --transform 's,^tcpreplay,tcpreplay-4.4.2,' tcpreplay
checksum=$(sha256sum "$folder/sources/tcpreplay.tar.gz" | cut -d ' ' -f 1)
printf '{"netmap": "%s", "broken_netmap": "%s", "tcpreplay": "%s"}\n' \
    "$(echo "$commits" | sed -n 1p)" "$(echo "$commits" | sed -n 2p)" "$checksum" >"$folder/sources.json"
cp "$sources/../fixtures/stand_in_tcpreplay.sh" "$folder/sources/stand_in_tcpreplay"
{
    printf '\324\303\262\241\2\0\4\0\0\0\0\0\0\0\0\0\377\377\0\0\1\0\0\0'
    printf '\0\0\0\0\0\0\0\0\074\0\0\0\074\0\0\0'
    head -c 60 /dev/zero
} >"$folder/sources/one.pcap"
tar -C "$folder" --owner=0 --group=0 -cf "$folder/sources.tar" sources
