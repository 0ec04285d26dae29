# shellcheck shell=sh
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What the tests share that make a system of Debian's packages in a folder and enter it (tests/dnf, tests/debian). Read in by them.

# make_root FOLDER SUITE [PACKAGES]: FOLDER/root, Debian's essential packages and these. FOLDER/base.tar is kept and used again.
make_root() {
    mkdir -p "$1"
    if [ "$(cat "$1/base.key" 2>/dev/null)" != "$2 ${3:-}" ]; then
        rm -f "$1/base.key"
        mmdebstrap --variant=minbase --aptopt='Acquire::Languages "none"' --dpkgopt=force-unsafe-io ${3:+"--include=$3"} "$2" "$1/base.tar"
        echo "$2 ${3:-}" >"$1/base.key"
    fi
    rm -rf "$1/root"
    mkdir -p "$1/root"
    tar -xpf "$1/base.tar" -C "$1/root"
}

say() {
    echo "=== $*"
}

wrong() {
    echo "WRONG: $*" >&2
    exit 1
}

# unchanged COMMAND…: a run of Ansible that changes nothing. What it says is in the file log of $folder, the test's.
unchanged() {
    "$@" >"${folder:?}/log" 2>&1 || { cat "$folder/log"; wrong "$* failed"; }
    grep -q ' changed=0 ' "$folder/log" || { cat "$folder/log"; wrong "$* has changed something"; }
}
