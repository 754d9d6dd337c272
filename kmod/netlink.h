/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _EDGE_NETLINK_H
#define _EDGE_NETLINK_H

#include <linux/types.h>

#include "uapi/nf_edge.h"

struct genl_family;
struct genl_info;

extern struct genl_family edge_netlink_family;

/* Registers the generic netlink family of uapi/nf_edge.h. 0 or an errno. */
int edge_netlink_init(void);
void edge_netlink_exit(void);

/* The ENTRY attributes of a request. */
u32 edge_netlink_count_entries(const struct genl_info *info);

#endif /* _EDGE_NETLINK_H */
