/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * nf_edge: the generic netlink contract between the module and its tools.
 *
 * Family "nf_edge", version 1. Reads are open to everybody, changes need
 * CAP_NET_ADMIN in the user namespace that owns the network namespace of the
 * socket. All attributes live in one space (NF_EDGE_A_*); which of them a
 * command takes is written beside the command. Integers are in host byte
 * order, addresses in network byte order, ports are host-order integers.
 *
 * A refused change answers an errno, one sentence (extended ack) and, where one
 * is to blame, the attribute; the policy in force is then exactly what it was.
 *
 * A change that would have to wait for another one of the namespace for more than a tenth of a
 * second is refused with EAGAIN, and may be asked for again.
 *
 * A sentence about a named thing starts with its noun ("partner exists"), so
 * that a tool can put the thing's name after the noun.
 *
 * Transactions: after NF_EDGE_CMD_BEGIN every change of the policy sent on the
 * same socket goes to a staged policy, which starts out empty with every default in place, or with
 * NF_EDGE_A_COPY as a copy of the policy in force.
 * NF_EDGE_CMD_COMMIT puts it in force in one step; NF_EDGE_CMD_ABORT, or the
 * closing of the socket, throws it away. Reads show the policy in force, or with
 * NF_EDGE_A_STAGED the staged one.
 *
 * A commit, or an undo, that takes the last Edge address away opens what they protect: it is
 * refused (-EPERM) without NF_EDGE_A_OPEN, unless NF_EDGE_MODE_OFF is set then, which says that
 * this is meant.
 *
 * A commit with NF_EDGE_A_CONFIRM waits for NF_EDGE_CMD_CONFIRM. When that does not come in time,
 * or NF_EDGE_CMD_REVERT comes, the policy before is in force again, with its partners, whoever
 * still listens; changes made since are gone with the policy that they changed. Until then no
 * other commit is taken.
 *
 * Who has joined the multicast group NF_EDGE_MCGRP_CONFIG is sent an
 * NF_EDGE_CMD_CONFIG_NTF for every change of the policy in force of the network
 * namespace, in the order of the changes; ENOBUFS on that socket means that some
 * were lost.
 *
 * Who has joined the multicast group NF_EDGE_MCGRP_DROPS, which needs CAP_NET_ADMIN
 * as changes do, is sent an NF_EDGE_CMD_DROP_NTF for packets of the network namespace
 * that are dropped, or in audit would be, from the next tick of the kernel's clock on:
 * of each reason at most 20 a second. The next one of that reason says how many were
 * left out.
 */
#ifndef _UAPI_NF_EDGE_H
#define _UAPI_NF_EDGE_H

#define NF_EDGE_GENL_NAME	"nf_edge"
/*
 * Tool and module of different releases work together as long as this is the same: a module refuses
 * what it does not know, a tool passes over it. It moves when a tool of the release before would
 * misread an answer, or save a policy without something that is in it.
 */
#define NF_EDGE_GENL_VERSION	1
#define NF_EDGE_MCGRP_CONFIG	"config"
#define NF_EDGE_MCGRP_DROPS	"drops"

#define NF_EDGE_NAME_MAX	63	/* bytes of a partner's name, without NUL */
#define NF_EDGE_DOMAIN_MAX	258	/* bytes of a partner's domain, without NUL */
#define NF_EDGE_DOMAIN_HOST	"host:"	/* before the name of a host in a domain's place */
#define NF_EDGE_DOMAINS_MAX	1024	/* that one prefix may come from */
#define NF_EDGE_PORT_MAP_BYTES	8192	/* 65,536 bits */
#define NF_EDGE_CONFIRM_MAX	86400	/* seconds to confirm a policy in */
#define NF_EDGE_INTERFACES_MAX	4096	/* Edge addresses of a policy, whatever their roles */
#define NF_EDGE_PARTNERS_MAX	4194304	/* prefixes of a policy */
#define NF_EDGE_BLOCKS_MAX	65536	/* blocked prefixes of a policy */
#define NF_EDGE_PROCESS_MAX	15	/* bytes of a process's name, without NUL */

/*
 * The characters that no name may have beside control characters (0x00-0x1f, 0x7f-0x9f): they are
 * not shown, or move what is. X(FIRST, LAST); Unicode 15: categories Cf, Zl and Zp,
 * Default_Ignorable_Code_Point, and noncharacters.
 */
#define NF_EDGE_UNSHOWN(X)							\
	X(0x00ad, 0x00ad)	X(0x034f, 0x034f)	X(0x0600, 0x0605)	\
	X(0x061c, 0x061c)	X(0x06dd, 0x06dd)	X(0x070f, 0x070f)	\
	X(0x0890, 0x0891)	X(0x08e2, 0x08e2)	X(0x115f, 0x1160)	\
	X(0x17b4, 0x17b5)	X(0x180b, 0x180f)	X(0x200b, 0x200f)	\
	X(0x2028, 0x202e)	X(0x2060, 0x206f)	X(0x3164, 0x3164)	\
	X(0xfdd0, 0xfdef)	X(0xfe00, 0xfe0f)	X(0xfeff, 0xfeff)	\
	X(0xffa0, 0xffa0)	X(0xfff0, 0xfffb)	X(0xfffe, 0xffff)	\
	X(0x110bd, 0x110bd)	X(0x110cd, 0x110cd)	X(0x13430, 0x1343f)	\
	X(0x1bca0, 0x1bca3)	X(0x1d173, 0x1d17a)	X(0x1fffe, 0x1ffff)	\
	X(0x2fffe, 0x2ffff)	X(0x3fffe, 0x3ffff)	X(0x4fffe, 0x4ffff)	\
	X(0x5fffe, 0x5ffff)	X(0x6fffe, 0x6ffff)	X(0x7fffe, 0x7ffff)	\
	X(0x8fffe, 0x8ffff)	X(0x9fffe, 0x9ffff)	X(0xafffe, 0xaffff)	\
	X(0xbfffe, 0xbffff)	X(0xcfffe, 0xcffff)	X(0xdfffe, 0xdffff)	\
	X(0xe0000, 0xe0fff)	X(0xefffe, 0xeffff)	X(0xffffe, 0xfffff)	\
	X(0x10fffe, 0x10ffff)

/*
 * The lists. X(ID, "name"): ID completes an enumerator, the name is what users
 * type and read. The order is the order of every listing.
 */
#define NF_EDGE_MODES(X)		\
	X(ENFORCE,	"enforce")	\
	X(AUDIT,	"audit")	\
	X(OFF,		"off")

#define NF_EDGE_UNLISTEDS(X)		\
	X(DROP,		"drop")		\
	X(PASS,		"pass")

#define NF_EDGE_RTP_MATCHES(X)		\
	X(DST,		"dst")		\
	X(SRC,		"src")		\
	X(EITHER,	"either")

#define NF_EDGE_ROLES(X)		\
	X(ACCESS,	"access")	\
	X(AV,		"av")		\
	X(INTERNAL,	"internal")

#define NF_EDGE_GROUPS(X)		\
	X(FEDERATION,	"federation")	\
	X(PIC,		"pic")		\
	X(CLIENT,	"client")	\
	X(MESSENGER,	"messenger")	\
	X(XMPP,		"xmpp")		\
	X(GATEWAY,	"gateway")

#define NF_EDGE_ROWS(X)					\
	X(SIP_FEDERATION_OUT,	"sip-federation-out")	\
	X(SIP_FEDERATION_IN,	"sip-federation-in")	\
	X(SIP_PIC_IN,		"sip-pic-in")		\
	X(SIP_PIC_OUT,		"sip-pic-out")		\
	X(SIP_CLIENT_IN,	"sip-client-in")	\
	X(AV_RTP_OUT,		"av-rtp-out")		\
	X(AV_STUN_OUT,		"av-stun-out")		\
	X(AV_STUN_IN,		"av-stun-in")		\
	X(XMPP_IN,		"xmpp-in")		\
	X(XMPP_OUT,		"xmpp-out")		\
	X(XMPP_GATEWAY_IN,	"xmpp-gateway-in")

#define NF_EDGE_PEERSS(X)		\
	X(ANY,		"any")		\
	X(LISTED,	"listed")

#define NF_EDGE_REASONS(X)			\
	X(MALFORMED,		"malformed")	\
	X(WRONG_DEVICE,		"wrong-device")	\
	X(BLOCKED,		"blocked")	\
	X(INVALID_STATE,	"invalid-state")\
	X(NOT_LISTED,		"not-listed")	\
	X(DISABLED,		"disabled")	\
	X(UNLISTED,		"unlisted")

#define NF_EDGE_VERDICTS(X)		\
	X(ACCEPT,	"accept")	\
	X(DROP,		"drop")		\
	X(PASS,		"pass")

/* What a row makes of a flow; it admits only in the first two. */
#define NF_EDGE_FINDINGS(X)			\
	X(LISTED,		"listed")	\
	X(ANY,			"any")		\
	X(OUTRANKED,		"outranked")	\
	X(NOT_LISTED,		"not-listed")	\
	X(DISABLED,		"disabled")	\
	X(PORT,			"port")		\
	X(PROTOCOL,		"protocol")	\
	X(ROLE,			"role")		\
	X(DIRECTION,		"direction")	\
	X(MALFORMED,		"malformed")	\
	X(WRONG_DEVICE,		"wrong-device")	\
	X(BLOCKED,		"blocked")	\
	X(INVALID_STATE,	"invalid-state")

#define NF_EDGE_ENUMERATOR_MODE(id, name)	NF_EDGE_MODE_##id,
#define NF_EDGE_ENUMERATOR_UNLISTED(id, name)	NF_EDGE_UNLISTED_##id,
#define NF_EDGE_ENUMERATOR_RTP_MATCH(id, name)	NF_EDGE_RTP_MATCH_##id,
#define NF_EDGE_ENUMERATOR_ROLE(id, name)	NF_EDGE_ROLE_##id,
#define NF_EDGE_ENUMERATOR_GROUP(id, name)	NF_EDGE_GROUP_##id,
#define NF_EDGE_ENUMERATOR_ROW(id, name)	NF_EDGE_ROW_##id,
#define NF_EDGE_ENUMERATOR_PEERS(id, name)	NF_EDGE_PEERS_##id,
#define NF_EDGE_ENUMERATOR_REASON(id, name)	NF_EDGE_REASON_##id,
#define NF_EDGE_ENUMERATOR_VERDICT(id, name)	NF_EDGE_VERDICT_##id,
#define NF_EDGE_ENUMERATOR_FINDING(id, name)	NF_EDGE_FINDING_##id,

enum nf_edge_mode { NF_EDGE_MODES(NF_EDGE_ENUMERATOR_MODE) NF_EDGE_MODE_COUNT };
enum nf_edge_unlisted { NF_EDGE_UNLISTEDS(NF_EDGE_ENUMERATOR_UNLISTED) NF_EDGE_UNLISTED_COUNT };
enum nf_edge_rtp_match { NF_EDGE_RTP_MATCHES(NF_EDGE_ENUMERATOR_RTP_MATCH)
			 NF_EDGE_RTP_MATCH_COUNT };
enum nf_edge_role { NF_EDGE_ROLES(NF_EDGE_ENUMERATOR_ROLE) NF_EDGE_ROLE_COUNT };
enum nf_edge_group { NF_EDGE_GROUPS(NF_EDGE_ENUMERATOR_GROUP) NF_EDGE_GROUP_COUNT };
enum nf_edge_row { NF_EDGE_ROWS(NF_EDGE_ENUMERATOR_ROW) NF_EDGE_ROW_COUNT };
enum nf_edge_peers { NF_EDGE_PEERSS(NF_EDGE_ENUMERATOR_PEERS) NF_EDGE_PEERS_COUNT };
enum nf_edge_reason { NF_EDGE_REASONS(NF_EDGE_ENUMERATOR_REASON) NF_EDGE_REASON_COUNT };
enum nf_edge_verdict { NF_EDGE_VERDICTS(NF_EDGE_ENUMERATOR_VERDICT) NF_EDGE_VERDICT_COUNT };
enum nf_edge_finding { NF_EDGE_FINDINGS(NF_EDGE_ENUMERATOR_FINDING) NF_EDGE_FINDING_COUNT };

#define NF_EDGE_GROUP_MASK	((1 << NF_EDGE_GROUP_COUNT) - 1)

/**
 * enum nf_edge_cmd - the commands
 *
 * @NF_EDGE_CMD_STATUS_GET: do. Answers VERSION, MODE, UNLISTED, GENERATION,
 *	RTP_MATCH, RTP_PORTS, INTERFACES, PARTNERS, BLOCKS, UPTIME, CHANGED and, while the
 *	policy waits for its confirmation, CONFIRM: the seconds that are left. Optional STAGED.
 * @NF_EDGE_CMD_STATUS_SET: do, admin. Takes any of MODE, UNLISTED, RTP_MATCH,
 *	RTP_PORTS and sets what is given; setting the present value is no error.
 * @NF_EDGE_CMD_INTERFACE_GET: dump. Takes ROLE as a filter, and STAGED; each answer
 *	has ROLE, ADDRESS and, when bound, DEV.
 * @NF_EDGE_CMD_INTERFACE_ADD: do, admin. ROLE, ADDRESS, optional DEV, TOLERANT.
 *	Without DEV an address keeps the device it has. An address that is bound
 *	to another device is refused (-EBUSY).
 * @NF_EDGE_CMD_INTERFACE_DEL: do, admin. ROLE, ADDRESS, TOLERANT.
 * @NF_EDGE_CMD_INTERFACE_FLUSH: do, admin. Optional ROLE.
 * @NF_EDGE_CMD_PARTNER_GET: dump. Filters: GROUPS (in any of them), NAME and
 *	DOMAIN (empty: whichever there is), ADDRESS (prefixes that cover it), IDLE
 *	(for so long, or longer), STAGED. Each answer has ADDRESS, PREFIX_LEN, GROUPS,
 *	for who may change the policy PACKETS and IDLE, and, when there is one, NAME
 *	and DOMAIN; sorted IPv4 before IPv6, by address, shorter prefixes first, then
 *	by DOMAIN, without one first.
 *	A prefix is answered once for each of its domains, with the groups that it
 *	has from there; PACKETS and IDLE are the prefix's each time.
 * @NF_EDGE_CMD_PARTNER_ADD: do, admin. One or more ENTRY, each ADDRESS,
 *	PREFIX_LEN, GROUPS, optional NAME and DOMAIN; TOLERANT; optional GENERATION as
 *	for COMMIT. All of them or none. An entry that neither adds a group nor
 *	renames is refused (-EEXIST); an empty NAME takes the name away. What a partner
 *	has from a domain, from another and from none does not mix: it is in a group as
 *	long as one of them says so. The last entries may have LEAVES: they are as
 *	PARTNER_DEL has them, without NAME, and go when the others have come.
 * @NF_EDGE_CMD_PARTNER_DEL: do, admin. One or more ENTRY, each ADDRESS,
 *	PREFIX_LEN, optional GROUPS (default: all) and DOMAIN (what the partner has
 *	from there; empty: from no domain; default: wherever from); TOLERANT; optional
 *	GENERATION.
 * @NF_EDGE_CMD_PARTNER_FLUSH: do, admin. Optional GROUPS: leave these groups.
 * @NF_EDGE_CMD_RULE_GET: dump. Takes STAGED. Each answer has ROW, CLASS, PROTOCOL, DPORT (0:
 *	the RTP port map), FROM, TO, PEERS, ENABLED, PACKETS, BYTES, FLOWS.
 * @NF_EDGE_CMD_RULE_SET: do, admin. One or more ENTRY, each ROW and ENABLED or
 *	PEERS or both.
 * @NF_EDGE_CMD_DROP_GET: dump. Each answer has REASON, PACKETS, BYTES.
 * @NF_EDGE_CMD_STATS_RESET: do, admin. Rows and reasons count from zero again.
 * @NF_EDGE_CMD_EXPLAIN: do. SOURCE (initiator), DESTINATION (responder),
 *	PROTOCOL, DPORT, optional SPORT, IIF, OIF, ALL. Answers VERDICT, MODE, and
 *	ROW (accept) or REASON (drop, and pass because of "unlisted pass"). A pass
 *	without REASON means that neither end is an Edge address. With ALL an ENTRY
 *	for each row, in order, of ROW and FINDING.
 * @NF_EDGE_CMD_BEGIN: do, admin. Opens this socket's transaction; one that was
 *	open is thrown away. Optional COPY.
 * @NF_EDGE_CMD_COMMIT: do, admin. Optional GENERATION: refused (-ESTALE) unless
 *	it is the generation in force. A policy that says what the one in force
 *	says is no change. Optional CONFIRM: unless the policy is confirmed in
 *	time, the one before comes back. Refused (-EBUSY) while one waits. Optional
 *	OPEN: see above.
 * @NF_EDGE_CMD_ABORT: do, admin.
 * @NF_EDGE_CMD_CONFIG_NTF: event, group "config": a change that is in force, the
 *	resetting of the counters too. Has COMMAND (what made it), GENERATION,
 *	INTERFACES, PARTNERS, BLOCKS (all four: afterwards), and what was asked for:
 *	the attributes of the command, for a whole policy (COMMAND commit,
 *	revert or undo) MODE, UNLISTED and RTP_MATCH. Has CONFIRM as the status has.
 *	Who asked for it: PROCESS, PID and USER, and LOGIN where it is known; none of
 *	them when the module did it by itself.
 *	ENTRIES counts the ENTRY that were asked for; a request of some hundred
 *	is not repeated.
 * @NF_EDGE_CMD_CONFIRM: do, admin. The policy in force stays. -ENOENT when none
 *	waits for that.
 * @NF_EDGE_CMD_REVERT: do, admin. The policy before comes back at once; the
 *	command that is told, too, when it comes back by itself. -ENOENT as above.
 * @NF_EDGE_CMD_DROP_NTF: event, group "drops": a packet that was dropped, or would
 *	have been. Has REASON, MODE, LEFT_OUT, and of its flow SOURCE (initiator) and
 *	DESTINATION (responder), and where known PROTOCOL, SPORT, DPORT, IIF and OIF;
 *	REPLY when it went from DESTINATION to SOURCE. An ICMP error is told by the flow
 *	that it is about, if there is one. ROW is the first that would have had to admit
 *	it: for not-listed one that does not list the remote address, for disabled one
 *	that is.
 * @NF_EDGE_CMD_BLOCK_GET: dump. Filters: ADDRESS (prefixes that cover it), STAGED. Each
 *	answer has ADDRESS, PREFIX_LEN and, when there is one, UNTIL and NAME, the reason;
 *	sorted as partners are.
 * @NF_EDGE_CMD_BLOCK_ADD: do, admin. One or more ENTRY, each ADDRESS, PREFIX_LEN,
 *	optional UNTIL and NAME; TOLERANT. All of them or none. An entry that says what is
 *	there is refused (-EEXIST); another end or reason takes the place of the present one.
 * @NF_EDGE_CMD_BLOCK_DEL: do, admin. One or more ENTRY, each ADDRESS, PREFIX_LEN; TOLERANT.
 *	The command that is told, too, when blocks have come to their end.
 * @NF_EDGE_CMD_BLOCK_FLUSH: do, admin.
 * @NF_EDGE_CMD_UNDO: do, admin. The policy before the last change comes back; asked again, it
 *	goes. While a policy waits for its confirmation, as REVERT. Optional GENERATION and OPEN as
 *	for COMMIT. -ENOENT when there is none. In a transaction, which should have begun with a
 *	copy, that becomes the staged policy.
 */
enum nf_edge_cmd {
	/* private: */
	NF_EDGE_CMD_UNSPEC,
	/* public: */
	NF_EDGE_CMD_STATUS_GET,
	NF_EDGE_CMD_STATUS_SET,
	NF_EDGE_CMD_INTERFACE_GET,
	NF_EDGE_CMD_INTERFACE_ADD,
	NF_EDGE_CMD_INTERFACE_DEL,
	NF_EDGE_CMD_INTERFACE_FLUSH,
	NF_EDGE_CMD_PARTNER_GET,
	NF_EDGE_CMD_PARTNER_ADD,
	NF_EDGE_CMD_PARTNER_DEL,
	NF_EDGE_CMD_PARTNER_FLUSH,
	NF_EDGE_CMD_RULE_GET,
	NF_EDGE_CMD_RULE_SET,
	NF_EDGE_CMD_DROP_GET,
	NF_EDGE_CMD_STATS_RESET,
	NF_EDGE_CMD_EXPLAIN,
	NF_EDGE_CMD_BEGIN,
	NF_EDGE_CMD_COMMIT,
	NF_EDGE_CMD_ABORT,
	NF_EDGE_CMD_CONFIG_NTF,
	NF_EDGE_CMD_CONFIRM,
	NF_EDGE_CMD_REVERT,
	NF_EDGE_CMD_DROP_NTF,
	NF_EDGE_CMD_BLOCK_GET,
	NF_EDGE_CMD_BLOCK_ADD,
	NF_EDGE_CMD_BLOCK_DEL,
	NF_EDGE_CMD_BLOCK_FLUSH,
	NF_EDGE_CMD_UNDO,
	/* private: */
	__NF_EDGE_CMD_MAX
};

/**
 * enum nf_edge_attr - the attributes
 *
 * @NF_EDGE_A_PAD: alignment of 64-bit values
 * @NF_EDGE_A_VERSION: NUL string, the module's version
 * @NF_EDGE_A_MODE: u32, enum nf_edge_mode
 * @NF_EDGE_A_UNLISTED: u32, enum nf_edge_unlisted
 * @NF_EDGE_A_GENERATION: u32, never 0; moves with every change of the policy
 * @NF_EDGE_A_RTP_MATCH: u32, enum nf_edge_rtp_match
 * @NF_EDGE_A_RTP_PORTS: NF_EDGE_PORT_MAP_BYTES bytes; port p is bit p % 8 (value
 *	1 << p % 8) of byte p / 8; port 0 must be clear
 * @NF_EDGE_A_INTERFACES: u32, number of (role, address) pairs
 * @NF_EDGE_A_PARTNERS: u32, number of partner prefixes
 * @NF_EDGE_A_UPTIME: u64, seconds since the policy in force last changed
 * @NF_EDGE_A_ROLE: u32, enum nf_edge_role
 * @NF_EDGE_A_ADDRESS: 4 or 16 bytes, network order; the length is the family
 * @NF_EDGE_A_PREFIX_LEN: u32, 0 to 32 or 128; host bits must be clear
 * @NF_EDGE_A_DEV: NUL string, a network device's name, of the same characters as
 *	NF_EDGE_A_NAME
 * @NF_EDGE_A_GROUPS: u32, mask of 1 << enum nf_edge_group
 * @NF_EDGE_A_NAME: NUL string, 1 to NF_EDGE_NAME_MAX bytes of UTF-8 without control and
 *	NF_EDGE_UNSHOWN characters
 * @NF_EDGE_A_ENTRY: nest, may repeat: one object of a command that takes many
 * @NF_EDGE_A_ROW: u32, enum nf_edge_row
 * @NF_EDGE_A_CLASS: NUL string, the row's class: sip, av or xmpp
 * @NF_EDGE_A_FROM: NUL string, the initiator: a role's or a group's name
 * @NF_EDGE_A_TO: NUL string, the responder: a role's or a group's name
 * @NF_EDGE_A_ENABLED: u32, 0 or 1
 * @NF_EDGE_A_PEERS: u32, enum nf_edge_peers
 * @NF_EDGE_A_REASON: u32, enum nf_edge_reason
 * @NF_EDGE_A_PACKETS: u64
 * @NF_EDGE_A_BYTES: u64, network-layer length
 * @NF_EDGE_A_FLOWS: u64
 * @NF_EDGE_A_SOURCE: an address, as NF_EDGE_A_ADDRESS
 * @NF_EDGE_A_DESTINATION: an address, as NF_EDGE_A_ADDRESS
 * @NF_EDGE_A_PROTOCOL: u32, IP protocol number
 * @NF_EDGE_A_SPORT: u32, 1 to 65535
 * @NF_EDGE_A_DPORT: u32, 1 to 65535
 * @NF_EDGE_A_IIF: NUL string, the device that the packet enters by
 * @NF_EDGE_A_OIF: NUL string, the device that the packet leaves by
 * @NF_EDGE_A_VERDICT: u32, enum nf_edge_verdict
 * @NF_EDGE_A_TOLERANT: flag: what is there already, or gone already, is no error
 * @NF_EDGE_A_COMMAND: u32, enum nf_edge_cmd
 * @NF_EDGE_A_ENTRIES: u32, number of ENTRY
 * @NF_EDGE_A_IDLE: u32, seconds since a partner's last packet; since it was added, when
 *	none has come. Packets count that came from it and were admitted because it is listed.
 * @NF_EDGE_A_CONFIRM: u32, seconds to confirm a policy in, 1 to NF_EDGE_CONFIRM_MAX
 * @NF_EDGE_A_ALL: flag: every row is told
 * @NF_EDGE_A_FINDING: u32, enum nf_edge_finding
 * @NF_EDGE_A_LEFT_OUT: u32, how many of that reason were not told since the last that was
 * @NF_EDGE_A_REPLY: flag: from the responder to the initiator
 * @NF_EDGE_A_DOMAIN: NUL string, the DNS domain whose service a partner is found by, or
 *	NF_EDGE_DOMAIN_HOST and a host's name: lower-case letters, digits and hyphens, at most
 *	63 between dots. The module keeps it for those who look it up
 * @NF_EDGE_A_LEAVES: flag: this one leaves, if it is there
 * @NF_EDGE_A_BLOCKS: u32, number of blocked prefixes
 * @NF_EDGE_A_UNTIL: u64, when a block ends, seconds since 1970 (UTC), not 0
 * @NF_EDGE_A_COPY: flag: the transaction starts out as the policy in force
 * @NF_EDGE_A_STAGED: flag: of the socket's staged policy
 * @NF_EDGE_A_OPEN: flag: there may be no Edge address afterwards
 * @NF_EDGE_A_CHANGED: u64, when the policy in force last changed, seconds since 1970 (UTC), by the
 *	clock as it was then
 * @NF_EDGE_A_PROCESS: NUL string, the name of the process that asked, at most NF_EDGE_PROCESS_MAX
 *	bytes: whatever it calls itself
 * @NF_EDGE_A_PID: u32, its number, in the initial process name space
 * @NF_EDGE_A_USER: u32, its user, as the user name space of the network name space has it
 * @NF_EDGE_A_LOGIN: u32, who had logged in (the audit subsystem's login user), likewise
 */
enum nf_edge_attr {
	/* private: */
	NF_EDGE_A_UNSPEC,
	/* public: */
	NF_EDGE_A_PAD,
	NF_EDGE_A_VERSION,
	NF_EDGE_A_MODE,
	NF_EDGE_A_UNLISTED,
	NF_EDGE_A_GENERATION,
	NF_EDGE_A_RTP_MATCH,
	NF_EDGE_A_RTP_PORTS,
	NF_EDGE_A_INTERFACES,
	NF_EDGE_A_PARTNERS,
	NF_EDGE_A_UPTIME,
	NF_EDGE_A_ROLE,
	NF_EDGE_A_ADDRESS,
	NF_EDGE_A_PREFIX_LEN,
	NF_EDGE_A_DEV,
	NF_EDGE_A_GROUPS,
	NF_EDGE_A_NAME,
	NF_EDGE_A_ENTRY,
	NF_EDGE_A_ROW,
	NF_EDGE_A_CLASS,
	NF_EDGE_A_FROM,
	NF_EDGE_A_TO,
	NF_EDGE_A_ENABLED,
	NF_EDGE_A_PEERS,
	NF_EDGE_A_REASON,
	NF_EDGE_A_PACKETS,
	NF_EDGE_A_BYTES,
	NF_EDGE_A_FLOWS,
	NF_EDGE_A_SOURCE,
	NF_EDGE_A_DESTINATION,
	NF_EDGE_A_PROTOCOL,
	NF_EDGE_A_SPORT,
	NF_EDGE_A_DPORT,
	NF_EDGE_A_IIF,
	NF_EDGE_A_OIF,
	NF_EDGE_A_VERDICT,
	NF_EDGE_A_TOLERANT,
	NF_EDGE_A_COMMAND,
	NF_EDGE_A_ENTRIES,
	NF_EDGE_A_IDLE,
	NF_EDGE_A_CONFIRM,
	NF_EDGE_A_ALL,
	NF_EDGE_A_FINDING,
	NF_EDGE_A_LEFT_OUT,
	NF_EDGE_A_REPLY,
	NF_EDGE_A_DOMAIN,
	NF_EDGE_A_LEAVES,
	NF_EDGE_A_BLOCKS,
	NF_EDGE_A_UNTIL,
	NF_EDGE_A_COPY,
	NF_EDGE_A_STAGED,
	NF_EDGE_A_OPEN,
	NF_EDGE_A_CHANGED,
	NF_EDGE_A_PROCESS,
	NF_EDGE_A_PID,
	NF_EDGE_A_USER,
	NF_EDGE_A_LOGIN,
	/* private: */
	__NF_EDGE_A_MAX
};

#define NF_EDGE_A_MAX (__NF_EDGE_A_MAX - 1)

#endif /* _UAPI_NF_EDGE_H */
