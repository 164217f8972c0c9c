// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The first rule that matches decides (AccessList in src/domain/port-profile.ts), at a cost that hardly depends on how
 * many there are. A list is compiled (src/relay/ebpf/access-list/compile.ts): for each key that its rules ask for, the
 * values that no rule tells apart are one interval, and each interval has a vector with a bit per rule: whether the rule
 * leaves it open. The AND of the vectors of a frame's keys has a bit for each rule that matches.
 *
 * Most of a vector's words are zero or equal to another vector's. So a vector is the numbers of its words, and where
 * one is looked up its class says which of them are not zero: only those that no vector lacks are looked at.
 *
 * Stateful rules would go in front: a frame of a connection that is known is allowed without asking the list, and a rule
 * that allows a frame to open one says so in a vector beside `allowed`.
 */
#pragma once
#include "frame.h"

enum decision { DENY, ALLOW };

/* Lists that need no tables, as numbers of lists; the number of any other is where in which segment it is. */
#define LIST_ALLOWS 0
#define LIST_DENIES 1

#define SEGMENTS 512
#define SEGMENT_BITS 21
#define SEGMENT_SIZE (1U << SEGMENT_BITS)
#define UNIT 64        /* lists begin at multiples of it */
#define UNIT_BITS 15   /* of a number, its unit in the segment; the segment's number is above */
#define STEPS 12       /* the last of a search, made without looking at bounds again */
#define OVERHANG 65536 /* octets that these may reach beyond SEGMENT_SIZE */
#define WORDS 16       /* of a vector: 1,024 rules */

/* Keys that are not in `headers.keys`; the numbers between are octets of `headers.macs`. */
#define KEY_MAC 16
#define KEY_ADDRESS 32
#define KEY_IS_IPV6 1
#define KEY_IS_DESTINATION 2

/* Bits 0 to 15: the vector's number; 16 to 31: which of its words are not zero. */
typedef __u32 class;
#define VECTOR(class) ((class) & 0xffff)
#define FILLED(class) ((class) >> 16)

struct interval {
	__u32 from;
	class class;
};

struct interval6 {
	__u64 high, low;
	class class;
	__u32 pad;
};

/* The intervals of one key, ascending, the first from zero on. */
struct dimension {
	__u32 table;   /* octets from the list's beginning, as all places in a list */
	__u32 first;   /* the octets of as many intervals as there are more than 2^steps */
	__u16 steps;
	__u16 key;
	class none;    /* addresses: of a frame without any */
	class other;   /* addresses: of a frame of the other IP version */
};

struct list {
	class start[DIRECTIONS];  /* which rules are for the direction */
	__u32 dimensions;
	__u32 words;      /* of a vector */
	__u32 vectors;    /* __u16 each: the numbers of its words */
	__u32 pool;       /* the words */
	__u32 allowed;    /* a vector's words: which rules allow */
	__u32 counters;   /* one for each bit of a vector and one for what no rule decided, all once for each stripe */
	__u32 stripes;    /* a power of two less one: CPUs do not write to each other's */
	__u32 otherwise;
	__u32 rules;
	/* for the driver */
	__u32 octets, source, source_octets;
	__u8 digest[16];
	struct dimension dimension[DIMENSIONS];
};

_Static_assert(sizeof(struct list) == 72 + DIMENSIONS * 20, "list");

struct segment {
	__u8 octets[SEGMENT_SIZE + OVERHANG];
};

struct segment_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct segment));
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
};

/* A list never changes; its place is used again after a grace period. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__type(key, __u32);
	__uint(max_entries, SEGMENTS);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__array(values, struct segment_map);
} hp_lists SEC(".maps");

#define AT(type, segment, place) ((type *)((segment)->octets + ((place) & (SEGMENT_SIZE - 1))))

/*
 * One step of a binary search, without a branch that could be predicted wrongly: on by `step` octets if the interval
 * there begins at or before the key, which is one less than `beyond`.
 */
static __always_inline __u32 advance(__u32 from, __u64 beyond, __u32 step)
{
	return (__s64)(from - beyond) >> 63 & step;
}

#define STEP(at, step) at += advance(*(__u32 *)(at + (step)), beyond, step)

__noinline int search(struct segment *segment, __u32 table, const struct dimension *d, __u32 key)
{
	__u64 beyond = (__u64)key + 1;
	__u32 step;
	__u8 *at;

	if (!segment || !d)
		return 0;
	step = 8U << (d->steps & 31);

	table += advance(*AT(__u32, segment, table + d->first), beyond, d->first);
	for (int i = STEPS; i < 16; i++) {
		if (step <= 8 << STEPS)
			break;
		step >>= 1;
		table += advance(*AT(__u32, segment, table + step), beyond, step);
	}
	at = AT(__u8, segment, table);
	switch (d->steps) {
	default: STEP(at, 8 << 11); /* fall through */
	case 11: STEP(at, 8 << 10); /* fall through */
	case 10: STEP(at, 8 << 9);  /* fall through */
	case 9:  STEP(at, 8 << 8);  /* fall through */
	case 8:  STEP(at, 8 << 7);  /* fall through */
	case 7:  STEP(at, 8 << 6);  /* fall through */
	case 6:  STEP(at, 8 << 5);  /* fall through */
	case 5:  STEP(at, 8 << 4);  /* fall through */
	case 4:  STEP(at, 8 << 3);  /* fall through */
	case 3:  STEP(at, 8 << 2);  /* fall through */
	case 2:  STEP(at, 8 << 1);  /* fall through */
	case 1:  STEP(at, 8 << 0);  /* fall through */
	case 0:  break;
	}
	return ((struct interval *)at)->class;
}

/* The borrow of a - b - borrow: 1 if the difference is negative. */
static __always_inline __u64 borrow_of(__u64 a, __u64 b, __u64 borrow)
{
	return ((~a & b) | ((~a | b) & (a - b - borrow))) >> 63;
}

__noinline int search6(struct segment *segment, __u32 table, const struct dimension *d, const struct address *address)
{
	__u32 size = sizeof(struct interval6), step;
	__u64 high, low;

	if (!segment || !d || !address)
		return 0;
	high = bpf_be64_to_cpu(address->words[0] | (__u64)address->words[1] << 32);
	low = bpf_be64_to_cpu(address->words[2] | (__u64)address->words[3] << 32);
	step = d->first;
	for (int i = 0; i <= 16; i++) {
		struct interval6 *at = AT(struct interval6, segment, table + step);

		table += step & ((__u32)borrow_of(high, at->high, borrow_of(low, at->low, 0)) - 1);
		if (i >= d->steps)
			break;
		step = size << (d->steps - i - 1 & 31);
	}
	return AT(struct interval6, segment, table)->class;
}

static __always_inline class class_of(struct segment *segment, __u32 base, const struct dimension *d, const struct headers *h)
{
	__u32 table = base + d->table, key = d->key;

	if (key < KEYS)
		return search(segment, table, d, h->keys[key & 15]);
	if (key < KEY_ADDRESS)
		return search(segment, table, d, h->macs[(key - KEY_MAC) & 15]);
	if (!h->family)
		return d->none;
	if ((h->family == 6) != (key & KEY_IS_IPV6))
		return d->other;
	if (key & KEY_IS_IPV6)
		return search6(segment, table, d, key & KEY_IS_DESTINATION ? &h->destination : &h->source);
	return search(segment, table, d, bpf_ntohl(key & KEY_IS_DESTINATION ? h->destination.words[0] : h->source.words[0]));
}

/* The number of zeros below the only bit of a word. */
static __always_inline __u32 place_of(__u64 bit)
{
	__u64 below = bit - 1;

	below -= below >> 1 & 0x5555555555555555;
	below = (below & 0x3333333333333333) + (below >> 2 & 0x3333333333333333);
	below = (below + (below >> 4)) & 0x0f0f0f0f0f0f0f0f;
	return below * 0x0101010101010101 >> 56;
}

static __always_inline void count_rule(struct segment *segment, __u32 base, const struct list *list, __u32 rule)
{
	__u32 stripe = bpf_get_smp_processor_id() & list->stripes;
	__u32 stripe_counters = (list->words + 1) * 64;

	__u32 place = base + list->counters + (stripe * stripe_counters + rule) * 8;

	/* the verifier has to see that it is aligned */
	__sync_fetch_and_add(AT(__u64, segment, place & ~7U), 1);
}

static __always_inline __u64 word_at(struct segment *segment, __u32 pool, __u32 vector, __u32 i)
{
	return *AT(__u64, segment, pool + *AT(__u16, segment, vector + i * 2) * 8);
}

/* Not static, so that the verifier looks at it once and not at every caller. */
__noinline int consult(__u32 number, __u32 direction, struct headers *h)
{
	__u32 base = number << (SEGMENT_BITS - UNIT_BITS) & (SEGMENT_SIZE - 1);
	__u32 zero = 0, open, which = number >> UNIT_BITS;
	void *inner = bpf_map_lookup_elem(&hp_lists, &which);
	struct segment *segment = inner ? bpf_map_lookup_elem(inner, &zero) : NULL;
	__u32 vectors, start, size, pool;
	struct list *list;
	class class;

	if (!segment || !h)
		return DENY;
	list = (struct list *)(segment->octets + base);
	if (!list->rules)
		return list->otherwise;
	if (!h->family && (h->keys[KEY_ETHER_TYPE] == ETH_P_IP || h->keys[KEY_ETHER_TYPE] == ETH_P_IPV6)) {
		count_rule(segment, base, list, list->words * 64);
		return DENY;
	}
	vectors = base + list->vectors;
	size = list->words * sizeof(__u16);
	class = list->start[direction & 1];
	start = vectors + VECTOR(class) * size;
	open = FILLED(class);
	for (__u32 i = 0; i < DIMENSIONS; i++) {
		if (i >= list->dimensions)
			break;
		class = class_of(segment, base, &list->dimension[i], h);
		h->vectors[i] = vectors + VECTOR(class) * size;
		open &= FILLED(class);
	}
	pool = base + list->pool;
	for (__u32 i = 0; i < WORDS; i++) {
		__u64 word = ~0ULL;

		if (!(open >> i & 1))
			continue;
		for (__u32 j = 0; j < DIMENSIONS; j++) {
			if (j >= list->dimensions)
				break;
			word &= word_at(segment, pool, h->vectors[j], i);
			if (!word)
				break;
		}
		word &= word_at(segment, pool, start, i);
		if (!word)
			continue;
		word &= -word;
		count_rule(segment, base, list, i * 64 + place_of(word));
		return *AT(__u64, segment, base + list->allowed + i * 8) & word ? ALLOW : DENY;
	}
	count_rule(segment, base, list, list->words * 64);
	return list->otherwise;
}

static __always_inline enum decision decide(struct __sk_buff *skb, struct work *w, __u32 list, enum direction direction)
{
	struct headers *h;

	if (list <= LIST_DENIES)
		return list == LIST_ALLOWS ? ALLOW : DENY;
	h = headers_of(skb, w);
	if (!h)
		return DENY;
	h->keys[KEY_VLAN] = w->vlan;
	return consult(list, direction, h);
}
