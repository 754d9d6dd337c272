/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /sys/kernel/nf_edge: read-only, one value a file, one tree a network namespace.
 * Documentation/ABI/testing/sysfs-kernel-nf_edge describes every file.
 */
#ifndef _EDGE_SYSFS_H
#define _EDGE_SYSFS_H

struct edge_net;

/* The root. 0 or -ENOMEM and the like. */
int edge_sysfs_init(void);
void edge_sysfs_exit(void);

/* A namespace's part. exit waits for readers; nothing reads @edge afterwards. */
int edge_sysfs_net_init(struct edge_net *edge);
void edge_sysfs_net_exit(struct edge_net *edge);

#endif /* _EDGE_SYSFS_H */
