// Copyright (c) 2026 the wirespeed.trafficgen developers
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
// Has the shape of the function that the role tcpreplay repairs, and of one beside it that it leaves alone. Only the third ring is there.
#include <stdbool.h>

struct port {
    unsigned first_tx_ring, last_tx_ring, cur_tx_ring;
};

static bool is_empty(unsigned ring)
{
    return ring == 3;
}

unsigned netmap_reset(void *p)
{
    struct port *port = p;

    port->cur_tx_ring = 0;
    return port->cur_tx_ring;
}

bool netmap_tx_queues_empty(void *p)
{
    struct port *port = p;

    port->cur_tx_ring = 0;
    while (is_empty(port->cur_tx_ring)) {
        if (++port->cur_tx_ring > port->last_tx_ring) {
            port->cur_tx_ring = 0;
            return true;
        }
    }
    return false;
}
