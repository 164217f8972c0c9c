// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What is counted, and samples of what is dropped. */
#pragma once
#include "rate.h"
#include "vsi.h"

#define SAMPLE_COST (5000000ULL << 4) /* 200 a second */
#define SAMPLE_DEPTH (100 * SAMPLE_COST)

static __always_inline struct port_tally *port_tally(__u32 port)
{
	return bpf_map_lookup_elem(&hp_port_tallies, &port);
}

static __always_inline struct tally *tally_of(struct slot *slot, __u32 place)
{
	return &slot->tallies[PLACE_TALLY(place)];
}

static __always_inline void count(struct tally *t, enum direction direction, __u32 octets)
{
	__sync_fetch_and_add(&t->frames[direction], 1);
	__sync_fetch_and_add(&t->octets[direction], octets);
}

_Static_assert(REASONS <= REASON_WORDS && (REASON_WORDS & (REASON_WORDS - 1)) == 0, "a mask of reasons");

/* While somebody watches, at a rate that a flood cannot raise. */
__noinline int sample_drop(struct __sk_buff *skb, struct work *w, __u32 slot, __u32 reason)
{
	__u32 only = 0;
	struct settings *settings = bpf_map_lookup_elem(&hp_settings, &only);
	struct drop_sample *s;

	if (!w || !settings || !settings->watched || !conforms(&settings->sampled, SAMPLE_COST, SAMPLE_DEPTH, w->now))
		return 0;
	s = bpf_ringbuf_reserve(&hp_drops, sizeof(*s), 0);
	if (!s)
		return 0;
	s->at = w->now;
	s->port = w->in_port;
	s->octets = w->octets;
	s->slot = slot;
	s->vid = w->vid;
	s->reason = reason;
	s->length = load_some(skb, 0, s->frame, SAMPLE_OCTETS);
	__builtin_memcpy(s->frame, &w->destination, 6); /* a copy for one VSI may have changed it */
	bpf_ringbuf_submit(s, 0);
	return 0;
}

static __always_inline bool watched(void)
{
	__u32 only = 0;
	struct settings *settings = bpf_map_lookup_elem(&hp_settings, &only);

	return settings && settings->watched;
}

/* The VSI that counts a drop, and by which of its tallies; 0: none. */
#define OF_VSI(slot, tally) ((slot) << 2 | (tally))

__noinline int drop(struct __sk_buff *skb, struct work *w, __u32 port, __u32 vsi, __u32 reason)
{
	struct port_tally *p = port_tally(port);
	struct slot *slot = vsi ? slot_at(vsi >> 2) : NULL;

	if (!w || reason >= REASONS)
		return 0;
	if (p)
		p->dropped[reason]++;
	if (slot)
		__sync_fetch_and_add(&slot->dropped[vsi & 3][reason & (REASON_WORDS - 1)], 1);
	if (watched())
		sample_drop(skb, w, vsi >> 2, reason);
	return 0;
}
