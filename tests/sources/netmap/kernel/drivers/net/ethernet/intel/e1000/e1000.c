/* Copyright (c) 2026 the wirespeed.trafficgen developers
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
/* A stand-in for a native driver, for tests: a PCI driver of its own name beside the stock one, with an interface that loses all it is given.
 * The makefile sets DRIVER, its name, and DEVICE, the ID of the Intel NIC it takes.
 */
#include <linux/etherdevice.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/pci.h>

void netmap_stand_in_attach(struct net_device *dev);

static netdev_tx_t transmit(struct sk_buff *skb, struct net_device *dev)
{
	dev_kfree_skb(skb);
	return NETDEV_TX_OK;
}

static const struct net_device_ops operations = {
	.ndo_start_xmit = transmit,
	.ndo_set_mac_address = eth_mac_addr,
};

static int probe(struct pci_dev *pci, const struct pci_device_id *id)
{
	/* Where QEMU's e1000 has its address after a reset: the registers RAL and RAH. */
	struct net_device *dev;
	void __iomem *registers;
	u8 mac[ETH_ALEN];
	u32 low, high;
	int error;

	error = pci_enable_device_mem(pci);
	if (error)
		return error;
	registers = pci_iomap(pci, 0, 0);
	if (!registers) {
		error = -ENOMEM;
		goto disable;
	}
	low = ioread32(registers + 0x5400);
	high = ioread32(registers + 0x5404);
	pci_iounmap(pci, registers);
	mac[0] = low;
	mac[1] = low >> 8;
	mac[2] = low >> 16;
	mac[3] = low >> 24;
	mac[4] = high;
	mac[5] = high >> 8;

	dev = alloc_etherdev(0);
	if (!dev) {
		error = -ENOMEM;
		goto disable;
	}
	SET_NETDEV_DEV(dev, &pci->dev);
	dev->netdev_ops = &operations;
	if (is_valid_ether_addr(mac))
		eth_hw_addr_set(dev, mac);
	else
		eth_hw_addr_random(dev);
	error = register_netdev(dev);
	if (error)
		goto free;
	pci_set_drvdata(pci, dev);
	netmap_stand_in_attach(dev);
	return 0;
free:
	free_netdev(dev);
disable:
	pci_disable_device(pci);
	return error;
}

static void leave(struct pci_dev *pci)
{
	struct net_device *dev = pci_get_drvdata(pci);

	unregister_netdev(dev);
	free_netdev(dev);
	pci_disable_device(pci);
}

static const struct pci_device_id stand_in_devices[] = {
	{ PCI_DEVICE(PCI_VENDOR_ID_INTEL, DEVICE) },
	{ }
};
MODULE_DEVICE_TABLE(pci, stand_in_devices);

static struct pci_driver stand_in_driver = {
	.name = DRIVER,
	.id_table = stand_in_devices,
	.probe = probe,
	.remove = leave,
};

module_pci_driver(stand_in_driver);
MODULE_DESCRIPTION("Stand-in for a native netmap driver");
MODULE_LICENSE("GPL");
