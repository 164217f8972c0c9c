// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Copies of the frame, dressed for their receivers. */
#pragma once
#include "count.h"
#include "hooks.h"

/* The handle of a shaper's qdisc; the classes under it have their tenants' numbers. src/relay/ebpf/shaper.ts makes them. */
#define SHAPER 0x48500000U
#define SHAPER_REST 0xffffU

/* Of what is longer than the MTU: drops it, unless it is a super-frame whose segments fit. */
__noinline int fits_in_segments(struct __sk_buff *skb, struct work *w, __u32 number, __u32 vsi)
{
	struct port *port = port_at(number);

	if (!w || !port || may_emit(skb, port->ifindex))
		return true;
	drop(skb, w, number, vsi, MTU);
	return false;
}

/* Whether the port can send the frame; if not it is dropped, and counted there and of the VSI that it was for. */
static __always_inline bool fits(struct __sk_buff *skb, struct work *w, __u32 number, const struct port *port, __u32 vsi)
{
	return w->octets <= port->longest || !port->longest || fits_in_segments(skb, w, number, vsi);
}

/* Dresses the frame for its receiver; false if the kernel has no memory for that. */
static __always_inline bool dress(struct __sk_buff *skb, struct work *w, const struct port *port)
{
	const struct copy *copy = &w->last;

	if (copy->destination != w->written) {
		if (bpf_skb_store_bytes(skb, 0, &copy->destination, ETH_ALEN, 0))
			return false;
		w->written = copy->destination;
	}
	skb->priority = port->shaper ? SHAPER | (copy->tenant ? copy->tenant : SHAPER_REST) : 0;
	skb->mark = copy->truncate && copy->truncate < skb->len ? TRIM << 16 | copy->truncate : 0;
	return !copy->vid || !bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), copy->vid | w->priority);
}

/* The kernel did not take the copy, for lack of memory or because a queue on its way is full. */
static __always_inline void was_lost(struct __sk_buff *skb, struct work *w)
{
	struct slot *slot = w->last.vsi ? slot_at(w->last.vsi >> 2) : NULL;

	if (slot) {
		struct tally *t = &slot->tallies[w->last.vsi & 3];

		__sync_fetch_and_add(&t->frames[TO_VM], -1);
		__sync_fetch_and_add(&t->octets[TO_VM], -(__u64)w->octets);
	}
	drop(skb, w, w->last.port, w->last.vsi, ERROR);
}

__noinline int send_clone(struct __sk_buff *skb, struct work *w)
{
	struct port *port;
	struct port_tally *t;

	if (!w)
		return 0;
	port = port_at(w->last.port);
	t = port_tally(w->last.port);
	if (!port || !t)
		return 0;
	if (!dress(skb, w, port) || !emit_copy(skb, port->ifindex))
		was_lost(skb, w);
	else
		t->out++;
	if (w->last.vid)
		bpf_skb_vlan_pop(skb);
	return 0;
}

/*
 * One copy is always held back, because the last one is the frame itself and costs no clone. Its redirect comes after the
 * program: where a queue is full, it is counted as sent although the device drops it. All other copies are counted right.
 */
static __always_inline void send_cut(struct __sk_buff *skb, struct work *w, __u32 port, __u16 vid, __u64 destination, __u16 truncate, __u32 vsi)
{
	if (w->last.port)
		send_clone(skb, w);
	w->last.port = port;
	w->last.vid = vid;
	w->last.truncate = truncate;
	w->last.tenant = w->tenant;
	w->last.destination = destination;
	w->last.vsi = vsi;
}

/* `vsi`: whose own copy it is, if it is one's. */
static __always_inline void send(struct __sk_buff *skb, struct work *w, __u32 port, __u16 vid, __u64 destination, __u32 vsi)
{
	send_cut(skb, w, port, vid, destination, 0, vsi);
}

static __always_inline int send_last(struct __sk_buff *skb, struct work *w)
{
	struct port *port = port_at(w->last.port);
	struct port_tally *t = port_tally(w->last.port);

	if (!w->last.port || !port || !t)
		return TC_ACT_SHOT;
	if (!dress(skb, w, port)) {
		was_lost(skb, w);
		return TC_ACT_SHOT;
	}
	t->out++;
	return port->peer ? emit_to_peer(skb, port->ifindex) : emit(skb, port->ifindex);
}

/* Leaves the frame to the switch's own stack as it came, after the copies. */
static __noinline int to_host(struct __sk_buff *skb, struct work *w)
{
	if (w->last.port)
		send_clone(skb, w);
	if (w->written != w->destination && bpf_skb_store_bytes(skb, 0, &w->destination, ETH_ALEN, 0))
		return TC_ACT_SHOT;
	skb->priority = 0;
	skb->mark = 0;
	if (w->tagged && bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), w->vid | w->priority))
		return TC_ACT_SHOT;
	return pass_to_host(skb);
}
