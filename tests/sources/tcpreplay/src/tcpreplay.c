// Copyright (c) 2026 the wirespeed.trafficgen developers
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
// Says of itself what tcpreplay says, and which ring netmap.c waits for.
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#ifdef HAVE_NETMAP
#include <net/if.h>
#include <stdint.h>
#include <sys/time.h>
#include <net/netmap.h>
#endif

bool netmap_tx_queues_empty(void *p);

int main(int argc, char **argv)
{
    struct { unsigned first_tx_ring, last_tx_ring, cur_tx_ring; } third = {3, 3, 3};

    // What the role makes of src/common/netmap.c: does a process that has the third ring wait for that?
    if (argc == 2 && strcmp(argv[1], "--rings") == 0)
        return netmap_tx_queues_empty(&third) && third.cur_tx_ring == 3 ? 0 : 1;
    if (argc != 2 || strcmp(argv[1], "--version") != 0) {
        fprintf(stderr, "This stands in for tcpreplay in tests, and sends nothing.\n");
        return 255;
    }
    fprintf(stderr, "tcpreplay version: " VERSION " (build git:v" VERSION ")\n"
                    "Cache file supported: 04\n"
                    "Not compiled with libdnet.\n"
                    "Compiled against libpcap: 1.10.3\n"
                    "64 bit packet counters: enabled\n"
                    "Verbose printing via tcpdump: enabled\n"
                    "Packet editing: disabled\n"
                    "Fragroute engine: enabled\n"
#ifdef HAVE_NETMAP
                    "Default injection method: PF_PACKET send()\n"
                    "Optional injection method: netmap\n");
#else
                    "Injection method: PF_PACKET send()\n"
                    "Not compiled with netmap\n");
#endif
    return 0;
}
