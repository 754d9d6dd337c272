// SPDX-License-Identifier: GPL-2.0-only
#include <linux/module.h>

#include "config.h"
#include "netlink.h"
#include "sysfs.h"

unsigned int edge_net_id __ro_after_init;

static int __net_init net_init(struct net *net)
{
	struct edge_net *edge = edge_net(net);
	int err;

	edge->net = net;
	err = edge_counters_init(&edge->counters);
	if (err)
		return err;
	err = edge_config_init(edge);
	if (err)
		goto free_counters;
	err = edge_sysfs_net_init(edge);
	if (err)
		goto free_config;
	return 0;

free_config:
	edge_config_free(edge);
free_counters:
	edge_counters_free(&edge->counters);
	return err;
}

static void __net_exit net_pre_exit(struct net *net)
{
	edge_config_stop(edge_net(net));
}

/* A grace period after net_pre_exit(): no packet is under way in a gate. */
static void __net_exit net_exit(struct net *net)
{
	struct edge_net *edge = edge_net(net);

	edge_sysfs_net_exit(edge);
	edge_config_free(edge);
	edge_counters_free(&edge->counters);
}

static struct pernet_operations net_ops = {
	.init = net_init,
	.pre_exit = net_pre_exit,
	.exit = net_exit,
	.id = &edge_net_id,
	.size = sizeof(struct edge_net),
};

/*
 * The sysfs root is there before any namespace hangs its part below it; the
 * netlink family comes last, when all that it may ask for exists.
 */
static int __init edge_init(void)
{
	int err;

	err = edge_sysfs_init();
	if (err)
		return err;
	err = register_pernet_subsys(&net_ops);
	if (err)
		goto exit_sysfs;
	err = edge_netlink_init();
	if (err)
		goto unregister_net;
	return 0;

unregister_net:
	unregister_pernet_subsys(&net_ops);
exit_sysfs:
	edge_sysfs_exit();
	return err;
}

static void __exit edge_exit(void)
{
	edge_netlink_exit();
	unregister_pernet_subsys(&net_ops);
	edge_sysfs_exit();
}

module_init(edge_init);
module_exit(edge_exit);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("The nf_edge developers");
MODULE_DESCRIPTION("Edge server port policy: SIP federation, public IM, XMPP, A/V");
MODULE_VERSION(NF_EDGE_VERSION);
