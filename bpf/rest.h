// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A group frame goes to the members of its VLAN in portions. A veth device's copies wait in a queue of the CPU for their
 * receivers, which by default takes 1,000: if all were made at once, the last members of a large VLAN would never hear any.
 * So the frame itself comes in once more behind each portion, with a mark under which the rest of its way is kept.
 *
 * A member that comes or goes meanwhile may miss the frame, as one that comes a moment later does.
 */
#pragma once
#include "send.h"

#define REST 0x49U /* the upper octet of the mark; a frame from another network namespace or from a wire has none */
#define RESTS 1024

struct rest {
	struct work work;
	__u64 served[PORTS / 64];  /* a bit per port that has had its shared copy */
};

/* That of the frame which is on its way; each CPU has one. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct rest);
	__uint(max_entries, 1);
} hp_rest SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, __u32);
	__type(value, struct rest);
	__uint(max_entries, RESTS);
} hp_rests SEC(".maps");

static __always_inline struct rest *scratch(void)
{
	__u32 only = 0;

	return bpf_map_lookup_elem(&hp_rest, &only);
}

/* Keeps the way to the members that are left for the frame's next entry; false if it has to be gone now. */
__noinline int later(struct __sk_buff *skb, struct work *w)
{
	__u32 mark = REST << 24 | (bpf_get_prandom_u32() & 0xffffff);
	struct rest *rest = scratch();
	bool entered;

	if (!w || !rest)
		return false;
	rest->work = *w;
	rest->work.last.port = 0;
	rest->work.parsed = 0;
	if (bpf_map_update_elem(&hp_rests, &mark, rest, BPF_NOEXIST))
		return false;
	skb->mark = mark;
	entered = enter_again(skb, skb->ifindex);
	skb->mark = 0;
	if (!entered)
		bpf_map_delete_elem(&hp_rests, &mark);
	return entered;
}

/* Goes on where `later` ended; false if that is not this frame's. */
static __always_inline bool resume(struct __sk_buff *skb, struct work *w)
{
	__u32 mark = skb->mark;
	struct rest *kept = bpf_map_lookup_elem(&hp_rests, &mark), *rest = scratch();

	if (!kept || !rest || kept->work.source != w->source)
		return false;
	*w = kept->work;
	__builtin_memcpy(rest->served, kept->served, sizeof(rest->served));
	bpf_map_delete_elem(&hp_rests, &mark);
	skb->mark = 0;
	w->now = now_ns();
	return true;
}
