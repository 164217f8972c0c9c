// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the bridge writes into frames from a VM (Marking in src/domain/port-profile.ts). */
#pragma once
#include "frame.h"

#define PRIORITY_SHIFT 13
#define DROP_ELIGIBLE 0x1000
#define IPV4_CHECKSUM 10

/* Writes the DSCP if there is a readable IP header with another one; what cannot be written stays as it is. */
__noinline int mark_dscp(struct __sk_buff *skb, struct work *w, __u32 dscp)
{
	__u16 before, after;
	struct headers *h;

	if (!w)
		return 0;
	h = headers_of(skb, w);
	if (!h || !h->family || h->keys[KEY_DSCP] == dscp || !load(skb, ETH_HLEN, &before, 2))
		return 0;
	if (h->family == 4) {
		after = (before & bpf_htons(0xff03)) | bpf_htons(dscp << 2);
		if (bpf_l3_csum_replace(skb, ETH_HLEN + IPV4_CHECKSUM, before, after, 2))
			return 0;
	} else {
		after = (before & bpf_htons(0xf03f)) | bpf_htons(dscp << 6);
	}
	/* in IPv4 the sum over the header does not change */
	bpf_skb_store_bytes(skb, ETH_HLEN, &after, 2, h->family == 4 ? 0 : BPF_F_RECOMPUTE_CSUM);
	h->keys[KEY_DSCP] = dscp;
	return 0;
}

static __always_inline void mark(struct __sk_buff *skb, struct work *w, const struct profile *profile)
{
	__u16 pcp = profile->pcp;

	if (pcp == TRUST)
		pcp = w->tagged ? w->priority >> PRIORITY_SHIFT : profile->default_pcp;
	w->priority = pcp << PRIORITY_SHIFT | (w->priority & DROP_ELIGIBLE);
	if (profile->dscp != TRUST)
		mark_dscp(skb, w, profile->dscp);
}
