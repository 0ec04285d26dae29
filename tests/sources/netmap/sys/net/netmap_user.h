/* Copyright (c) 2026 the wirespeed.trafficgen developers
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
/* tcpreplay's configure looks for this file beside netmap.h. */
#include <net/netmap.h>
