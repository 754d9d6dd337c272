/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _EDGE_NETLINK_H
#define _EDGE_NETLINK_H

/* Registers the generic netlink family of uapi/nf_edge.h. 0 or an errno. */
int edge_netlink_init(void);
void edge_netlink_exit(void);

#endif /* _EDGE_NETLINK_H */
