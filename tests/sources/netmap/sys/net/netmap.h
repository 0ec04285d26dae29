/* Copyright (c) 2026 the wirespeed.trafficgen developers
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
/* The little of netmap's interface, version 14, that the stand-in knows: sizes and numbers are the real one's. */
#ifndef STAND_IN_NETMAP_H
#define STAND_IN_NETMAP_H

#define NETMAP_API 14
#define NETMAP_MIN_API 14

struct nmreq {
	char nr_name[16];
	unsigned int nr_version;
	unsigned int nr_offset;
	unsigned int nr_memsize;
	unsigned int nr_tx_slots;
	unsigned int nr_rx_slots;
	unsigned short nr_tx_rings;
	unsigned short nr_rx_rings;
	unsigned short nr_ringid;
	unsigned short nr_cmd;
	unsigned short nr_arg1;
	unsigned short nr_arg2;
	unsigned int nr_arg3;
	unsigned int nr_flags;
	unsigned int nr_spare2[1];
};

#define NIOCGINFO _IOWR('i', 145, struct nmreq)
#define NIOCREGIF _IOWR('i', 146, struct nmreq)

#endif
