// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Copies for a monitoring session (Mirror in src/domain/port-profile.ts). */
#pragma once
#include "access-list.h"
#include "send.h"

/* How much is left of the frame in the skb if so many octets are of the whole. */
static __always_inline __u32 beside_tag(struct work *w, __u32 octets)
{
	__u32 least = ETH_HLEN + w->beside;

	if (!octets)
		return 0;
	return (octets < least ? least : octets) - w->beside;
}

static __always_inline int mirror(struct __sk_buff *skb, struct work *w, struct held *of, __u32 direction)
{
	struct profile *profile = of->profile;

	if (decide(skb, w, profile->mirror_filter, direction) == DENY)
		return 0;
	if (profile->mirror_sample > 1 &&
	    __sync_fetch_and_add(&of->slot->mirrored[direction & 1], 1) % profile->mirror_sample)
		return 0;
	send_cut(skb, w, profile->mirror_port, 0, w->destination, beside_tag(w, profile->mirror_truncate));
	return 0;
}
