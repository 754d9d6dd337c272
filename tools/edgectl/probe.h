/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * probe: looks at what stands beside the module in the kernel: netfilter's hooks,
 * nftables, devices, routes. It changes nothing.
 *
 * Every function returns 0, or an errno; lists are the caller's to free().
 */
#ifndef EDGECTL_PROBE_H
#define EDGECTL_PROBE_H

#include "parse.h"

#define PROBE_NAME	64	/* bytes for a name, with NUL; longer ones are cut */

/**
 * struct probe_hook - a function that is registered with netfilter
 * @point: NF_INET_PRE_ROUTING ...
 * @module: "": the kernel's own
 * @table: of the nftables chain behind it, as are @family and @chain; "": none
 */
struct probe_hook {
	uint32_t point;
	int32_t priority;
	char function[PROBE_NAME];
	char module[PROBE_NAME];
	char family[8];
	char table[PROBE_NAME];
	char chain[PROBE_NAME];
};

/* In the order in which packets meet them. @family: NFPROTO_IPV4 or NFPROTO_IPV6. */
int probe_hooks(uint8_t family, uint32_t point, struct probe_hook **list, size_t *count);

/**
 * struct probe_flowtable - an nftables flowtable
 * @users: rules that put flows into it
 * @hardware: it asks devices to forward by themselves
 * @devices: their names, separated by commas
 */
struct probe_flowtable {
	char family[8];
	char table[PROBE_NAME];
	char name[PROBE_NAME];
	uint32_t users;
	bool hardware;
	char devices[256];
};

int probe_flowtables(struct probe_flowtable **list, size_t *count);

/**
 * struct probe_rule - where an nftables rule stands
 */
struct probe_rule {
	char family[8];
	char table[PROBE_NAME];
	char chain[PROBE_NAME];
	uint64_t handle;
};

/* The rules that take packets from connection tracking, iptables-nft's among them. */
int probe_untracking(struct probe_rule **list, size_t *count);

/**
 * struct probe_link - a network device
 * @master: index of the device that it belongs to, 0: none
 * @kind: "bridge", "veth" ..., "": a device that says nothing of it
 */
struct probe_link {
	uint32_t index;
	uint32_t master;
	bool up;
	char name[16];
	char kind[16];
};

int probe_links(struct probe_link **list, size_t *count);

/**
 * struct probe_route - where packets go
 * @device: index
 * @local: to this machine itself
 * @gateway: by way of another machine
 */
struct probe_route {
	uint32_t device;
	bool local;
	bool gateway;
};

/* For what @from sends that comes in by the device @iif; NULL and 0: what this machine sends. */
int probe_route(const struct prefix *to, const struct prefix *from, uint32_t iif,
		struct probe_route *route);

#endif
