/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * probe: looks at what stands beside the module in the kernel: netfilter's hooks,
 * nftables, traffic control, programs, devices, routes. It changes nothing.
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
 * enum probe_deed - what an nftables rule does to packets that concerns the module
 * @PROBE_UNTRACKS: takes them from connection tracking
 * @PROBE_FORWARDS: sends them out of a device, ahead of the hooks for IP
 * @PROBE_QUEUES: hands them to a program, which may change them
 */
enum probe_deed {
	PROBE_NOTHING,
	PROBE_UNTRACKS,
	PROBE_FORWARDS,
	PROBE_QUEUES,
};

/**
 * struct probe_rule - where an nftables rule stands
 * @deed: the first such that it does
 */
struct probe_rule {
	enum probe_deed deed;
	char family[8];
	char table[PROBE_NAME];
	char chain[PROBE_NAME];
	uint64_t handle;
};

/* The rules that do one of these, iptables-nft's among them. */
int probe_rules(struct probe_rule **list, size_t *count);

/**
 * struct probe_link - a network device
 * @master: index of the device that it belongs to, 0: none
 * @xdp: a program sees its packets first
 * @kind: "bridge", "veth" ..., "": a device that says nothing of it
 */
struct probe_link {
	uint32_t index;
	uint32_t master;
	bool up;
	bool xdp;
	char name[16];
	char kind[16];
};

int probe_links(struct probe_link **list, size_t *count);

/**
 * struct probe_filter - a filter of traffic control
 * @device: index of the device that it is at
 * @ingress: it sees what the device receives; otherwise what it sends
 * @redirects: it sends packets to another device
 * @mirrors: it sends copies there
 * @to: index of that device
 * @program: it runs a BPF program
 */
struct probe_filter {
	uint32_t device;
	bool ingress;
	bool redirects;
	bool mirrors;
	bool program;
	uint32_t to;
};

/* Those that redirect, mirror or run a program. */
int probe_filters(struct probe_filter **list, size_t *count);

/* How many programs that no filter shows (tcx) are at a device, one way. */
int probe_programs(uint32_t device, bool ingress, uint32_t *count);

/**
 * enum probe_way - how IPVS passes a packet on to a real server
 * @PROBE_ROUTES: as it is
 * @PROBE_MASQUERADES: with the real server's address
 * @PROBE_TUNNELS: inside of another
 */
enum probe_way {
	PROBE_ROUTES,
	PROBE_MASQUERADES,
	PROBE_TUNNELS,
};

/**
 * struct probe_server - a real server of a virtual service of IPVS
 */
struct probe_server {
	struct prefix service;
	struct prefix real;
	enum probe_way way;
};

int probe_servers(struct probe_server **list, size_t *count);

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
