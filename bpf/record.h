// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* hooks.h for tests by BPF_PROG_TEST_RUN: nothing is sent, and two runs with the same frames do the same. */
#pragma once
#include "frame.h"

#define EMISSIONS 128

struct emission {
	__u32 ifindex;
	__u32 octets;
	__u16 tag_protocol;  /* network order, 0: no tag */
	__u16 tci;
	__u32 pad;
	__u8 frame[2032];  /* without the tag */
};

/* test/kit/kernel/recorder.ts counts on this. */
_Static_assert(sizeof(struct emission) == 2048, "emission");

DECLARE(hp_now, BPF_MAP_TYPE_ARRAY, __u32, __u64, 1, MAPPED);
DECLARE(hp_emitted, BPF_MAP_TYPE_ARRAY, __u32, __u64, 1, MAPPED);
DECLARE(hp_emissions, BPF_MAP_TYPE_ARRAY, __u32, struct emission, EMISSIONS, MAPPED);

static __always_inline __u64 now_ns(void)
{
	__u32 only = 0;
	__u64 *now = bpf_map_lookup_elem(&hp_now, &only);

	return now ? *now : 0;
}

/*
 * A test run gets each frame behind a tag of the test's own: without it the kernel refuses IP that is cut short, and it
 * keeps the frame's tag, when that has become the first one, beside the frame, as for any frame that a device receives.
 */
static __always_inline void as_received(struct __sk_buff *skb)
{
	bpf_skb_vlan_pop(skb);
}

static __always_inline bool may_emit(struct __sk_buff *skb, __u32 ifindex)
{
	return skb->gso_size != 0;
}

static __noinline int record(struct __sk_buff *skb, __u32 ifindex)
{
	__u32 only = 0, index, octets = skb->len, most = TRIM_TO(skb->mark);
	__u64 *emitted = bpf_map_lookup_elem(&hp_emitted, &only);
	struct emission *e;

	if (!emitted)
		return 0;
	index = (*emitted)++;
	e = bpf_map_lookup_elem(&hp_emissions, &index);
	if (!e)
		return 0;
	if (most && octets > most)
		octets = most;
	e->ifindex = ifindex;
	e->octets = octets;
	e->tag_protocol = skb->vlan_present ? skb->vlan_proto : 0;
	e->tci = skb->vlan_tci;
	load_some(skb, 0, e->frame, sizeof(e->frame));
	return 0;
}

static __always_inline bool emit_copy(struct __sk_buff *skb, __u32 ifindex)
{
	record(skb, ifindex);
	return true;
}

#define PORTION NODES

static __always_inline bool enter_again(struct __sk_buff *skb, __u32 ifindex)
{
	return false;
}

static __always_inline int emit(struct __sk_buff *skb, __u32 ifindex)
{
	record(skb, ifindex);
	return TC_ACT_REDIRECT;
}

static __always_inline int pass_to_host(struct __sk_buff *skb)
{
	record(skb, 0);
	return TC_ACT_OK;
}

static __always_inline int emit_to_peer(struct __sk_buff *skb, __u32 ifindex)
{
	return emit(skb, ifindex);
}
