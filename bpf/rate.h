// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A token bucket, kept as the one moment at which it will be full again (GCRA, ITU-T I.371): no lock, no timer.
 * Times are in 1/16 ns. A frame passes while the bucket is not empty and may overdraw it, or a super-frame (GSO)
 * longer than the burst could never pass.
 */
#pragma once
#include "frame.h"

static __always_inline bool conforms(__u64 *full_at, __u64 cost, __u64 depth, __u64 now_ns)
{
	__u64 now = now_ns << 4;
	__u64 at = *(volatile __u64 *)full_at;

	if (at < now)
		__sync_val_compare_and_swap(full_at, at, now); /* fails only if another CPU has just done it */
	at = __sync_fetch_and_add(full_at, cost);
	if (at < now + depth)
		return true;
	__sync_fetch_and_add(full_at, -cost);
	return false;
}

/* Whether so many octets (or frames) pass the bucket; all do where there is no limit. */
static __always_inline bool passes(__u64 *full_at, const struct rate *rate, __u32 amount, __u64 now_ns)
{
	/* amount * cost >> 20, whose product may not fit */
	__u64 cost = amount * (rate->cost >> 20) + (amount * (rate->cost & 0xfffff) >> 20);

	return !rate->cost || conforms(full_at, cost, rate->depth, now_ns);
}

/* A tenant's total over all its VSIs. */
static __always_inline bool tenant_passes(struct work *w, __u32 number, enum direction direction, __u32 octets)
{
	struct tenant *tenant = bpf_map_lookup_elem(&hp_tenants, &number);
	__u32 bucket = number << 1 | direction;
	__u64 *full_at = bpf_map_lookup_elem(&hp_tenant_buckets, &bucket), current;

	if (!tenant || !full_at)
		return true;
	current = *(volatile __u64 *)&tenant->current & 1;
	return passes(full_at, &tenant->limits[current].rate[direction], octets, w->now);
}
