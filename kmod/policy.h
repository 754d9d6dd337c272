/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The law: which rows there are, and what they make of a flow.
 *
 * Pure: no packet, no lock, no netlink. Packets, explain and tests call the
 * very same code.
 */
#ifndef _EDGE_POLICY_H
#define _EDGE_POLICY_H

#include <linux/log2.h>
#include <linux/rcupdate.h>

#include "blocks.h"
#include "edge.h"
#include "ports.h"
#include "prefix.h"

/* Service ports, see edge_rows. */
#define EDGE_PORT_SIP_MTLS	5061
#define EDGE_PORT_SIP_TLS	443
#define EDGE_PORT_STUN		3478
#define EDGE_PORT_XMPP_SERVER	5269
#define EDGE_PORT_XMPP_GATEWAY	23456
#define EDGE_PORT_MEDIA_TLS	443	/* the responder's when "rtp match src" holds */

#define EDGE_INTERFACE_BUCKETS	4096

/**
 * struct edge_row - one row of the documents' tables
 * @class: sip, av or xmpp
 * @protocol: IPPROTO_TCP or IPPROTO_UDP
 * @port: service port, host byte order; 0: the RTP port map
 * @outbound: the Edge end initiates
 * @role: enum nf_edge_role of the Edge end
 * @group: enum nf_edge_group of the remote end
 * @peers: enum nf_edge_peers, the default
 */
struct edge_row {
	const char *class;
	u8 protocol;
	u16 port;
	bool outbound;
	u8 role;
	u8 group;
	u8 peers;
};

extern const struct edge_row edge_rows[NF_EDGE_ROW_COUNT];

/* Names as users type and read them, in the order of the enums. */
extern const char * const edge_mode_names[NF_EDGE_MODE_COUNT];
extern const char * const edge_unlisted_names[NF_EDGE_UNLISTED_COUNT];
extern const char * const edge_rtp_match_names[NF_EDGE_RTP_MATCH_COUNT];
extern const char * const edge_role_names[NF_EDGE_ROLE_COUNT];
extern const char * const edge_group_names[NF_EDGE_GROUP_COUNT];
extern const char * const edge_row_names[NF_EDGE_ROW_COUNT];
extern const char * const edge_peers_names[NF_EDGE_PEERS_COUNT];
extern const char * const edge_reason_names[NF_EDGE_REASON_COUNT];

/**
 * struct edge_interface - an Edge address
 * @addr: network byte order
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 * @roles: mask of 1 << enum nf_edge_role, as configured
 * @out_rows: rows that this address may be the initiator of
 * @in_rows: rows that this address may be the responder of
 * @chain: index + 1 of the next one in the same hash bucket, or 0
 * @dev: the device behind which its remote parties are, or ""
 */
struct edge_interface {
	union nf_inet_addr addr;
	u8 family;
	u8 roles;
	u16 out_rows;
	u16 in_rows;
	u16 chain;
	char dev[IFNAMSIZ];
};

enum edge_gate {
	EDGE_GATE_FIRST,
	EDGE_GATE_SECOND,
	EDGE_GATE_COUNT
};

/**
 * enum edge_plain - which of the plain packets may be judged the short way, see judge.h
 * @EDGE_PLAIN_NONE: none, in this mode
 * @EDGE_PLAIN_ALL: all; nothing is blocked
 * @EDGE_PLAIN_UNBLOCKED: those that bear no blocked address
 */
enum edge_plain {
	EDGE_PLAIN_NONE,
	EDGE_PLAIN_ALL,
	EDGE_PLAIN_UNBLOCKED,
};

/**
 * struct edge_policy - all that the law reads besides the flow
 * @rcu: for whoever publishes it
 * @partners: the partner table, changed in place
 * @blocks: the block list, or NULL while nothing is blocked; a reference is the policy's
 * @plain: by gate, which plain packets may be judged the short way, enum edge_plain
 * @turns: a row that an Edge address opens, to a port of its own, may refuse somebody
 * @mode: enum nf_edge_mode
 * @unlisted: enum nf_edge_unlisted
 * @rtp_match: enum nf_edge_rtp_match
 * @enabled: mask of enabled rows
 * @any: mask of rows whose peers are "any"
 * @listing: for each mask of groups the mask of their rows
 * @ports: the RTP port map
 * @buckets: index + 1 of the first Edge address of a hash bucket, or 0
 * @interface_count: entries in @interfaces
 * @interfaces: Edge addresses, IPv4 before IPv6, by address
 *
 * Once published only @partners changes.
 */
struct edge_policy {
	struct rcu_head rcu;
	struct edge_prefixes *partners;
	struct edge_blocks *blocks;
	u8 plain[EDGE_GATE_COUNT];
	bool turns;
	u8 mode;
	u8 unlisted;
	u8 rtp_match;
	u16 enabled;
	u16 any;
	u16 listing[1 << NF_EDGE_GROUP_COUNT];
	struct edge_ports ports;
	u16 buckets[EDGE_INTERFACE_BUCKETS];
	u32 interface_count;
	struct edge_interface interfaces[];
};

/* Sets every default of the documents; no interfaces, partners untouched. */
void edge_policy_init(struct edge_policy *policy);

/*
 * Derives the rows of interfaces and groups, hash chains, and what is plain. Call after changing
 * interfaces, rows, mode or blocks.
 */
void edge_policy_index(struct edge_policy *policy);

/* Where an Edge address is looked for. */
static __always_inline u32 edge_policy_bucket(u8 family, const union nf_inet_addr *addr)
{
	return edge_address_hash(family, addr, ilog2(EDGE_INTERFACE_BUCKETS));
}

/* False for most of the addresses that are no Edge address: whether it is worth asking. */
static __always_inline bool edge_policy_may_know(const struct edge_policy *policy, u8 family,
						 const union nf_inet_addr *addr)
{
	return policy->buckets[edge_policy_bucket(family, addr)];
}

/* The Edge address at @addr (network order), or NULL. */
static __always_inline const struct edge_interface *
edge_policy_interface(const struct edge_policy *policy, u8 family, const union nf_inet_addr *addr)
{
	u16 next = policy->buckets[edge_policy_bucket(family, addr)];

	while (next) {
		const struct edge_interface *interface = &policy->interfaces[next - 1];

		if (interface->family == family &&
		    edge_address_equal(family, &interface->addr, addr))
			return interface;
		next = interface->chain;
	}
	return NULL;
}

/* Whether a device is known, and not the one that the address is bound to. */
bool edge_policy_other_device(const struct edge_interface *interface, const char *dev);

/**
 * edge_policy_recognise - whether a flow is ours
 * @policy: the policy
 * @flow: family and both addresses are read; the Edge addresses at its ends are set
 *
 * Return: true when an Edge address is one end of the flow.
 */
static __always_inline bool edge_policy_recognise(const struct edge_policy *policy,
						  struct edge_flow *flow)
{
	flow->src.edge = edge_policy_interface(policy, flow->family, flow->src.addr);
	flow->dst.edge = edge_policy_interface(policy, flow->family, flow->dst.addr);
	return flow->src.edge || flow->dst.edge;
}

/**
 * edge_policy_judge - the verdict on a packet of a flow
 * @policy: the policy
 * @flow: a recognised flow
 *
 * What connection tracking was not asked about (EDGE_TRACKING_UNASKED) is not
 * held against the flow.
 *
 * Context: RCU read side (the partner table), any context.
 * Return: the ruling of the first step of the policy that decides. A pass
 * without reason is for what the law does not decide: what is not ours, and ICMP
 * errors before connection tracking was asked about their flow.
 */
struct edge_ruling edge_policy_judge(const struct edge_policy *policy,
				     const struct edge_flow *flow);

/**
 * edge_policy_consider - what one row makes of a flow
 * @policy: the policy
 * @flow: a recognised flow
 * @row: the row
 *
 * What speaks against the row comes first: direction, role, protocol, port, its switch, its peers;
 * then what speaks against the flow. The ruling of edge_policy_judge() is an accept exactly when a
 * row admits, which is to say LISTED or ANY, and then it is by the first that does.
 *
 * Context: RCU read side (the partner table), any context.
 * Return: the finding.
 */
enum nf_edge_finding edge_policy_consider(const struct edge_policy *policy,
					  const struct edge_flow *flow, enum nf_edge_row row);

#define EDGE_POLICY_BLOCKED	(-2)

/*
 * The mask of groups of an address, network byte order, or EDGE_POLICY_BLOCKED; remembers that it
 * is not. Of a policy that blocks something. RCU read side, any context.
 */
int edge_policy_meet(const struct edge_policy *policy, u8 family, const union nf_inet_addr *addr);

/* edge_judge_alone(), see there, whatever is blocked. */
struct edge_ruling edge_policy_judge_alone(const struct edge_policy *policy,
					   const struct edge_flow *flow);

#endif /* _EDGE_POLICY_H */
