#!/bin/sh
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# netmap_repository.sh FOLDER: the stand-in for netmap as a git repository, as the role netmap wants it. Two commits: one that builds, and
# after it one whose module does not compile. Their hashes are printed, in this order; they are always the same for the same files.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
folder=$1
rm -rf "$folder"
mkdir -p "$folder"
cp -R "$here/netmap/." "$folder"
cd "$folder"
export GIT_AUTHOR_NAME=stand-in GIT_AUTHOR_EMAIL=stand-in@localhost GIT_AUTHOR_DATE='2026-01-01T00:00:00Z'
export GIT_COMMITTER_NAME=stand-in GIT_COMMITTER_EMAIL=stand-in@localhost GIT_COMMITTER_DATE='2026-01-01T00:00:00Z'
git -c init.defaultBranch=main init -q
git add -A
git commit -q -m 'Stand-in for netmap'
git rev-parse HEAD
# At the top: the compiler reads none of the kernel's headers before it stops, which takes a guest without KVM a quarter of a minute.
sed -i '1i #include "a commit that does not build"' LINUX/netmap.c
git commit -q -a -m 'Stand-in that does not build'
git rev-parse HEAD
