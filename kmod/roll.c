// SPDX-License-Identifier: GPL-2.0-only
#include "roll.h"

#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "edge.h"

u8 edge_roll_common_bits(const u32 *a, const u32 *b, u8 limit)
{
	u8 bit;

	for (bit = 0; bit < limit; bit += 32) {
		u32 differ = a[bit / 32] ^ b[bit / 32];

		if (differ)
			return min_t(u8, limit, bit + 32 - fls(differ));
	}
	return limit;
}

u32 edge_roll_seek(const struct edge_roll *roll, const struct edge_key *key, u32 words, bool *found)
{
	u32 from = 0, end = roll->count;

	*found = false;
	while (from < end) {
		const u32 i = from + (end - from) / 2;
		const struct edge_partner *partner = edge_roll_at(roll->partners, i, words);
		const int order = edge_roll_compare(key->word, key->bits, partner->word,
						    partner->bits, words);

		if (!order) {
			*found = true;
			return i;
		}
		if (order < 0)
			end = i;
		else
			from = i + 1;
	}
	return from;
}

void edge_roll_insert(struct edge_roll *roll, u32 at, const struct edge_key *key, u32 words)
{
	struct edge_partner *partner = edge_roll_at(roll->partners, at, words);
	u32 behind = roll->count++ - at;

	memmove(edge_roll_at(roll->partners, at + 1, words), partner,
		behind * edge_partner_size(words));
	memmove(roll->labels + at + 1, roll->labels + at, behind * sizeof(*roll->labels));
	memmove(roll->seen + at + 1, roll->seen + at, behind * sizeof(atomic64_t));
	*partner = (struct edge_partner){ .bits = key->bits };
	memcpy(partner->word, key->word, words * sizeof(u32));
	RCU_INIT_POINTER(roll->labels[at], NULL);
	atomic64_set(&roll->seen[at], edge_roll_unseen(edge_roll_now()));
}

void edge_label_free(struct edge_label *label)
{
	struct edge_label *next;

	for (; label; label = next) {
		next = edge_label_at(&label->next);
		kfree(label);
	}
}

void edge_roll_free_labels(const struct edge_roll *roll, u32 from)
{
	u32 i;

	for (i = from; i < roll->count; i++) {
		edge_label_free(edge_label_at(&roll->labels[i]));
		edge_roll_rest(i);
	}
}

bool edge_roll_widen(struct edge_roll *roll, u32 *room, u32 more, u32 words)
{
	struct edge_roll wider;
	u32 count = roll->count, at;
	void *memory;

	if (count + more <= *room)
		return true;
	more = max(more, count);
	memory = kvmalloc(edge_roll_size(count + more, words), EDGE_GFP);
	if (!memory)
		return false;
	wider = edge_roll_lay(memory, count + more, words);
	wider.count = count;
	for (at = 0; at < count; at += 1024) {
		edge_roll_copy(&wider, at, roll, at, min(count - at, 1024U), words);
		edge_roll_rest(at);
	}
	kvfree(roll->partners);
	*roll = wider;
	*room = count + more;
	return true;
}

/* A digit of what partners are sorted by: width bits of the address from one on, or the length. */
static __always_inline u32 digit(const struct edge_partner *partner, int from, u8 width, u32 words)
{
	return from < 0 ? partner->bits : edge_roll_slice(partner->word, from, width, words);
}

/* What has the same digit stays in its order. */
static __always_inline void sort_by(int from, u8 width, const struct edge_roll *to,
				    const struct edge_roll *roll, u32 *place, u32 words)
{
	u32 i, sum = 0, here;

	memset(place, 0, sizeof(*place) << width);
	for (i = 0; i < roll->count; i++) {
		place[digit(edge_roll_at(roll->partners, i, words), from, width, words)]++;
		edge_roll_rest(i);
	}
	for (i = 0; i < 1U << width; i++) {
		here = place[i];
		place[i] = sum;
		sum += here;
	}
	for (i = 0; i < roll->count; i++) {
		const struct edge_partner *partner = edge_roll_at(roll->partners, i, words);
		u32 at = place[digit(partner, from, width, words)]++;

		memcpy(edge_roll_at(to->partners, at, words), partner, edge_partner_size(words));
		to->labels[at] = roll->labels[i];
		edge_roll_rest(i);
	}
}

/* By digits, the last one first: a few passes, where comparing takes twenty. */
static __always_inline void sort(struct edge_roll *roll, struct edge_roll *other, u32 *place,
				 u8 width, u32 words)
{
	int from = words * 32;

	sort_by(-1, 8, other, roll, place, words);
	while (from > 0) {
		from = max(from - width, 0);
		swap(*roll, *other);
		sort_by(from, width, other, roll, place, words);
	}
	swap(*roll, *other);
}

static bool in_order(const struct edge_roll *roll, u32 words)
{
	u32 i;

	for (i = 1; i < roll->count; i++) {
		const struct edge_partner *before = edge_roll_at(roll->partners, i - 1, words);
		const struct edge_partner *partner = edge_roll_at(roll->partners, i, words);

		if (edge_roll_compare(before->word, before->bits, partner->word, partner->bits,
				      words) > 0)
			return false;
		edge_roll_rest(i);
	}
	return true;
}

/* One of those that are the same prefix, with all their groups and the last name, remains. */
static __always_inline void unite(struct edge_roll *roll, u32 words)
{
	u32 last = 0, i;

	for (i = 1; i < roll->count; i++) {
		struct edge_partner *to = edge_roll_at(roll->partners, last, words);
		const struct edge_partner *from = edge_roll_at(roll->partners, i, words);

		edge_roll_rest(i);
		if (edge_roll_compare(to->word, to->bits, from->word, from->bits, words)) {
			if (++last != i)
				edge_roll_copy(roll, last, roll, i, 1, words);
			continue;
		}
		to->groups |= from->groups;
		to->own = to->groups;
		if (edge_label_at(&roll->labels[i])) {
			edge_label_free(edge_label_at(&roll->labels[last]));
			roll->labels[last] = roll->labels[i];
		}
	}
	roll->count = last + 1;
}

static void none_seen(struct edge_roll *roll)
{
	u64 unseen = edge_roll_unseen(edge_roll_now());
	u32 i;

	for (i = 0; i < roll->count; i++) {
		atomic64_set(&roll->seen[i], unseen);
		edge_roll_rest(i);
	}
}

bool edge_roll_order(struct edge_roll *roll, u32 *room, u32 words)
{
	u8 width = clamp(ilog2(roll->count), 8, 16);
	struct edge_roll other;
	void *memory;
	u32 *place;

	if (!in_order(roll, words)) {
		place = kvmalloc_array(1U << width, sizeof(*place), EDGE_GFP);
		memory = kvmalloc(edge_roll_size(roll->count, words), EDGE_GFP);
		if (!place || !memory) {
			kvfree(place);
			kvfree(memory);
			return false;
		}
		other = edge_roll_lay(memory, roll->count, words);
		if (words == 1)
			sort(roll, &other, place, width, 1);
		else
			sort(roll, &other, place, width, 4);
		kvfree(other.partners);
		kvfree(place);
		*room = roll->count;
	}
	if (words == 1)
		unite(roll, 1);
	else
		unite(roll, 4);
	none_seen(roll);
	return true;
}
