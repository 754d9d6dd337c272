/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _EDGE_HOOK_H
#define _EDGE_HOOK_H

struct edge_net;

/**
 * edge_hook_register - both gates, connection tracking and defragmentation
 * @edge: the namespace
 *
 * Context: process context, may sleep.
 * Return: 0 or what netfilter answered; nothing stays registered then.
 */
int edge_hook_register(struct edge_net *edge);

/* Does not wait for packets under way: a grace period must pass before freeing. */
void edge_hook_unregister(struct edge_net *edge);

#endif /* _EDGE_HOOK_H */
