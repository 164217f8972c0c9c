// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Copies for a monitoring session (Mirror in src/domain/port-profile.ts). */
#pragma once
#include "access-list.h"
#include "send.h"

static __always_inline int mirror(struct __sk_buff *skb, struct work *w, struct held *of, __u32 direction)
{
	struct profile *profile = of->profile;
	struct port *port;
	__u32 cut;

	if (decide(skb, w, profile->mirror_filter, direction) == DENY)
		return 0;
	if (profile->mirror_sample > 1 &&
	    __sync_fetch_and_add(&of->slot->mirrored[direction & 1], 1) % profile->mirror_sample)
		return 0;
	port = port_at(profile->mirror_port);
	cut = profile->mirror_truncate;
	if (!port || ((!cut || cut > port->longest) && !fits(skb, w, profile->mirror_port, port, 0)))
		return 0;
	send_cut(skb, w, profile->mirror_port, 0, w->destination, cut, 0);
	return 0;
}
