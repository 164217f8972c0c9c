// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Storm control (StormLimit in src/domain/port-profile.ts): frames per second of a VSI and kind. */
#pragma once
#include "learn.h"
#include "rate.h"

#define BROADCAST_ADDRESS 0xffffffffffffULL

/* The kind of storm that the frame could be part of, STORMS if of none. */
static __always_inline enum storm storm_kind(struct work *w)
{
	struct held owner;

	if (w->destination == BROADCAST_ADDRESS)
		return BROADCAST;
	if (w->destination & 1)
		return MULTICAST;
	find_destination(w, &owner);
	return owner.number || is_learned(w) ? STORMS : UNKNOWN_UNICAST;
}

__noinline int storm_passes(struct __sk_buff *skb, struct work *w, struct profile *profile, struct slot *slot)
{
	__u32 kind;

	if (!w || !profile || !slot)
		return true;
	kind = storm_kind(w);
	if (kind >= STORMS)
		return true;
	return passes(&slot->storms[kind], &profile->storm[kind], segments_of(skb, w), w->now);
}
