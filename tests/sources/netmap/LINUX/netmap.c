/* Copyright (c) 2026 the wirespeed.trafficgen developers
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
/* A stand-in for netmap's module, for tests: it loads, has some of the parameters and /dev/netmap, is in use while that is open, and tells of
 * an interface's rings. It moves no frames.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/uaccess.h>
#include <net/net_namespace.h>
#include <net/netmap.h>

static int admode;
module_param(admode, int, 0644);
MODULE_PARM_DESC(admode, "0: native where there is it, 1: native only, 2: emulated only");
static int buf_num = 163840;
module_param(buf_num, int, 0644);
static int ring_num = 200;
module_param(ring_num, int, 0644);
static int verbose;
module_param(verbose, int, 0644);

/* What a native driver calls: it ties the driver's module to this one, which then lists it in holders. */
void netmap_stand_in_attach(struct net_device *dev);
void netmap_stand_in_attach(struct net_device *dev)
{
	pr_info("%s: netmap queues/slots: TX 1/256, RX 1/256\n", netdev_name(dev));
}
EXPORT_SYMBOL(netmap_stand_in_attach);

static long netmap_ioctl(struct file *file, unsigned int command, unsigned long address)
{
	struct nmreq request;

	if (command != NIOCGINFO && command != NIOCREGIF)
		return -EINVAL;
	if (copy_from_user(&request, (void __user *)address, sizeof(request)))
		return -EFAULT;
	if (request.nr_version < NETMAP_MIN_API)
		return -EINVAL;
	request.nr_name[sizeof(request.nr_name) - 1] = 0;
	if (request.nr_name[0]) {
		struct net_device *dev = dev_get_by_name(&init_net, request.nr_name);

		if (!dev)
			return -ENXIO;
		dev_put(dev);
	}
	request.nr_version = NETMAP_API;
	request.nr_memsize = 4096;
	request.nr_tx_rings = 1;
	request.nr_rx_rings = 1;
	request.nr_tx_slots = 256;
	request.nr_rx_slots = 256;
	return copy_to_user((void __user *)address, &request, sizeof(request)) ? -EFAULT : 0;
}

static const struct file_operations netmap_operations = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = netmap_ioctl,
};

static struct miscdevice netmap_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "netmap",
	.fops = &netmap_operations,
	.mode = 0600,
};

module_misc_device(netmap_device);
MODULE_DESCRIPTION("Stand-in for netmap");
MODULE_LICENSE("GPL");
