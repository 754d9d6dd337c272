/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rolls: partners in order, by address, shorter first, their labels, and when they were seen. A
 * leaf of a tree holds one, and a tree is built of one. words: as many as an address of the family
 * has.
 */
#ifndef _EDGE_ROLL_H
#define _EDGE_ROLL_H

#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/netfilter.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/types.h>

/* Words in host order, so that bit 0 is the top bit of word 0. */
struct edge_key {
	u32 word[4];
	u8 bits;
};

static inline u32 edge_roll_words(u8 family)
{
	return family == NFPROTO_IPV4 ? 1 : 4;
}

/* A prefix of a family, whose address is in network byte order. */
static inline struct edge_key edge_roll_key(u8 family, const union nf_inet_addr *addr, u8 bits)
{
	struct edge_key key = { .bits = bits };
	u32 i;

	for (i = 0; i < edge_roll_words(family); i++)
		key.word[i] = be32_to_cpu(addr->ip6[i]);
	return key;
}

/* A prefix: what a look-up reads, and no more, for the sake of cache lines. */
struct edge_partner {
	u8 bits;
	u8 groups;	/* what readers see; 0 in scaffolding */
	u8 pending;	/* of own, on their way in or out, while a list is checked */
	u8 own;		/* the groups that no domain has brought */
	u32 word[];	/* as many as an address of the family has */
};

/**
 * struct edge_label - where a partner comes from, and what it is called
 * @next: that of the partner's next domain, in their order
 * @rcu: for its end: listings read labels under RCU
 * @groups: those that the domain has brought; 0 in scaffolding, and where there is no domain
 * @pending: of these, on their way in or out, while a list is checked
 * @text: the domain; behind its NUL the name; either may be empty, and no domain comes first
 */
struct edge_label {
	struct edge_label __rcu *next;
	struct rcu_head rcu;
	u8 groups;
	u8 pending;
	char text[];
};

/**
 * struct edge_roll - a roll
 * @partners: edge_partner_size() each; and behind them, where edge_roll_lay() laid them out,
 *	as many of the others
 * @labels: the partners' first labels, or NULL each
 * @seen: what was seen of each, see edge_roll_see()
 * @count: how many
 */
struct edge_roll {
	void *partners;
	struct edge_label __rcu **labels;
	atomic64_t *seen;
	u32 count;
};

/* The label that a link leads to: for whoever makes the change, or under RCU. */
#define edge_label_at(link) rcu_dereference_raw(*(link))

/* A point of rest now and then, for loops over as many partners as there may be. */
static __always_inline void edge_roll_rest(u32 i)
{
	if (i % 1024 == 0)
		cond_resched();
}

/*
 * How many packets came from a partner is in the lower bits of a word, and in the upper ones when
 * the last came, or the partner: seconds since boot, enough for eight years.
 */
#define EDGE_SEEN_PACKETS	36

static inline u32 edge_roll_now(void)
{
	return ktime_get_boottime_seconds();
}

static inline u64 edge_roll_unseen(u32 second)
{
	return (u64)second << EDGE_SEEN_PACKETS;
}

static inline u32 edge_roll_second_of(u64 seen)
{
	return seen >> EDGE_SEEN_PACKETS;
}

static inline u64 edge_roll_packets_of(u64 seen)
{
	return seen & (BIT_ULL(EDGE_SEEN_PACKETS) - 1);
}

/* Notes packets that came until then. CPUs may meet here. */
static inline void edge_roll_see(atomic64_t *seen, u32 second, u32 packets)
{
	s64 old = atomic64_read(seen), new;

	do {
		new = edge_roll_unseen(max(second, edge_roll_second_of(old))) |
		      min_t(u64, edge_roll_packets_of(old) + packets,
			    BIT_ULL(EDGE_SEEN_PACKETS) - 1);
	} while (!atomic64_try_cmpxchg(seen, &old, new));
}

/* Whether the first bits of a and b agree. */
static __always_inline bool edge_roll_agree(const u32 *a, const u32 *b, u8 bits, u32 words)
{
	if (words > 1)
		for (; bits > 32; bits -= 32)
			if (*a++ != *b++)
				return false;
	return !((u64)(*a ^ *b) >> (32 - bits));
}

/* As many bits as width from one on, as a number. */
static __always_inline u32 edge_roll_slice(const u32 *word, u8 from, u8 width, u32 words)
{
	u32 at = words > 1 ? from / 32 : 0;
	u64 window = (u64)word[at] << 32;

	if (at + 1 < words)
		window |= word[at + 1];
	return window << (words > 1 ? from % 32 : from) >> (64 - width);
}

/* The first bits of an address, as a prefix. */
static inline struct edge_key edge_roll_shortened(struct edge_key key, u8 bits)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(key.word); i++) {
		int kept = clamp(bits - (int)i * 32, 0, 32);

		key.word[i] &= (u32)(~0ULL << (32 - kept));
	}
	key.bits = bits;
	return key;
}

static inline int edge_roll_compare(const u32 *a, u8 a_bits, const u32 *b, u8 b_bits, u32 words)
{
	u32 i;

	for (i = 0; i < words; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return a_bits - b_bits;
}

static __always_inline size_t edge_partner_size(u32 words)
{
	return offsetof(struct edge_partner, word) + words * sizeof(u32);
}

static __always_inline struct edge_partner *edge_roll_at(const void *partners, u32 i, u32 words)
{
	return (struct edge_partner *)(partners + i * edge_partner_size(words));
}

/* Bytes of so many partners alone. */
static inline size_t edge_roll_partners_size(u32 count, u32 words)
{
	return ALIGN(count * edge_partner_size(words), sizeof(u64));
}

/* Bytes for a roll of so many. */
static inline size_t edge_roll_size(u32 count, u32 words)
{
	return edge_roll_partners_size(count, words) +
	       count * (sizeof(struct edge_label *) + sizeof(atomic64_t));
}

/* The roll that so much memory holds. */
static inline struct edge_roll edge_roll_lay(void *partners, u32 count, u32 words)
{
	atomic64_t *seen = partners + edge_roll_partners_size(count, words);

	return (struct edge_roll){
		partners, (struct edge_label __rcu **)(seen + count), seen, count
	};
}

/* Copies some of a roll, from the first on, to another one's place. */
static inline void edge_roll_copy(const struct edge_roll *to, u32 place,
				  const struct edge_roll *from, u32 first, u32 n, u32 words)
{
	memcpy(edge_roll_at(to->partners, place, words), edge_roll_at(from->partners, first, words),
	       n * edge_partner_size(words));
	memcpy(to->labels + place, from->labels + first, n * sizeof(*to->labels));
	memcpy(to->seen + place, from->seen + first, n * sizeof(atomic64_t));
}

/* Puts a prefix, scaffolding, where edge_roll_seek() says; there must be room. */
void edge_roll_insert(struct edge_roll *roll, u32 at, const struct edge_key *key, u32 words);

/* The number of leading bits in which a and b agree, at most limit. */
u8 edge_roll_common_bits(const u32 *a, const u32 *b, u8 limit);

/* Which of the roll's partners it is, or where it is not there, will be. */
u32 edge_roll_seek(const struct edge_roll *roll, const struct edge_key *key, u32 words,
		   bool *found);

/* Frees a label and those behind it, and the labels from one partner on, which no reader sees. */
void edge_label_free(struct edge_label *label);
void edge_roll_free_labels(const struct edge_roll *roll, u32 from);

/**
 * edge_roll_append - adds a partner behind the others, in whatever order
 * @roll: the roll, with room for it
 * @key: the prefix
 * @groups: mask of 1 << enum nf_edge_group
 * @label: the roll's from now on, or NULL
 * @words: as many as an address of the family has
 */
static inline void edge_roll_append(struct edge_roll *roll, const struct edge_key *key, u8 groups,
				    struct edge_label *label, u32 words)
{
	struct edge_partner *partner = edge_roll_at(roll->partners, roll->count, words);
	u32 i;

	*partner = (struct edge_partner){
		.bits = key->bits, .groups = groups, .own = groups,
	};
	for (i = 0; i < words; i++)
		partner->word[i] = key->word[i];
	RCU_INIT_POINTER(roll->labels[roll->count++], label);
}

/**
 * edge_roll_widen - makes room
 * @roll: a roll of its own memory, or none yet
 * @room: partners that fit into it
 * @more: how many are to be added
 * @words: as many as an address of the family has
 *
 * Return: whether there was memory for it.
 */
bool edge_roll_widen(struct edge_roll *roll, u32 *room, u32 more, u32 words);

/**
 * edge_roll_order - puts a roll in order, and unites what is the same prefix
 * @roll: a roll of its own memory, not empty
 * @room: as edge_roll_widen() has it
 * @words: as many as an address of the family has
 *
 * One of those that are the same prefix remains, with all their groups and the last name. No domain
 * has brought any of them, and none has been seen yet.
 *
 * Return: whether there was memory for it; nothing is lost.
 */
bool edge_roll_order(struct edge_roll *roll, u32 *room, u32 words);

#endif /* _EDGE_ROLL_H */
