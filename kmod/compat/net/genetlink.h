/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What joining a multicast group takes: flags of its own since "genetlink: Use internal flags for
 * multicast groups" (6.8, and 6.1.y), before that those of a command.
 */
#ifndef _EDGE_COMPAT_NET_GENETLINK_H
#define _EDGE_COMPAT_NET_GENETLINK_H

#include_next <net/genetlink.h>

#ifndef GENL_MCAST_CAP_NET_ADMIN
#define GENL_MCAST_CAP_NET_ADMIN GENL_UNS_ADMIN_PERM
#endif

#endif /* _EDGE_COMPAT_NET_GENETLINK_H */
