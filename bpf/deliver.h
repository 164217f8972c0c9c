// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What a VSI's policy says of a frame, and the way to a VSI's places. */
#pragma once
#include "guards.h"
#include "mark.h"
#include "mirror.h"
#include "rest.h"
#include "storm.h"

/* The first reason against a frame from or to the VSI, or REASONS. What it was charged before, it is not given back. */
static __always_inline enum reason judge(struct __sk_buff *skb, struct work *w, struct held *of, enum direction direction)
{
	struct profile *profile = of->profile;
	__u32 does = profile->does[direction], octets;

	if (!(does & DOES_JUDGE))
		return REASONS;
	if (direction == FROM_VM && does & DOES_GUARD) {
		__u32 reason = guard(skb, w, does, of->number);

		if (reason < REASONS)
			return reason;
	}
	if (does & DOES_LIST && decide(skb, w, profile->access_list, direction) == DENY)
		return ACCESS_LIST;
	if (direction == FROM_VM && does & DOES_STORM && !storm_passes(skb, w, profile, of->slot))
		return STORM;
	if (!(does & (DOES_RATE | DOES_TENANT_RATE)))
		return REASONS;
	octets = octets_on_link(skb, w);
	if (does & DOES_RATE && !passes(&of->slot->buckets[direction], &profile->rate[direction], octets, w->now))
		return RATE;
	if (does & DOES_TENANT_RATE && !tenant_passes(w, profile->tenant, direction, octets))
		return TENANT_RATE;
	return REASONS;
}

/* One copy of a group frame for all untagged VSIs of a station port. */
static __always_inline void send_to_all(struct __sk_buff *skb, struct work *w, __u32 number, const struct port *port)
{
	__u64 bit = 1ULL << (number & 63);
	struct rest *rest = scratch();

	if (!rest || rest->served[number >> 6 & 15] & bit)
		return;
	rest->served[number >> 6 & 15] |= bit;
	if (number == w->in_port && !port->reflects)
		drop(skb, w, number, 0, REFLECTIVE_RELAY_OFF);
	else if (fits(skb, w, number, port, 0))
		send(skb, w, number, 0, w->destination, 0);
}

/* Whether the copy for this place is the one that all at its port share. */
static __always_inline bool is_shared(struct work *w, struct profile *profile, __u32 place, struct port *port)
{
	return w->group && port && port->shares && !vid_of(profile, place, w->vlan);
}

static __always_inline void send_to_place(struct __sk_buff *skb, struct work *w, struct held *to, __u32 place, __u64 destination)
{
	__u32 number = PLACE_PORT(place);
	__u32 vsi = OF_VSI(to->number, PLACE_TALLY(place));
	struct port *port = port_at(number);

	if (!number || !port)
		return;
	if (number == w->in_port && !port->reflects) {
		drop(skb, w, number, vsi, REFLECTIVE_RELAY_OFF);
		return;
	}
	if (!fits(skb, w, number, port, vsi))
		return;
	count(tally_of(to->slot, place), TO_VM, w->octets);
	send(skb, w, number, vid_of(to->profile, place, w->vlan), destination, vsi);
}

/* Under the VSI's policy to where it is active; `destination`: its own address if the frame is a group's. */
static __always_inline void deliver(struct __sk_buff *skb, struct work *w, struct held *to, __u64 destination)
{
	__u32 place = ACTIVE(to->word);
	enum reason reason;

	if (!place)
		return;
	if (!w->sender)
		w->tenant = to->profile->tenant;
	reason = judge(skb, w, to, TO_VM);
	if (reason != REASONS) {
		drop(skb, w, PLACE_PORT(place), OF_VSI(to->number, PLACE_TALLY(place)), reason);
		return;
	}
	if (to->profile->does[TO_VM] & DOES_MIRROR)
		mirror(skb, w, to, TO_VM);
	send_to_place(skb, w, to, place, destination);
}

/* Sends the copy that is shared; whether the VSI has to have one of its own instead. */
static __always_inline bool wants_its_own(struct __sk_buff *skb, struct work *w, struct held *to)
{
	__u32 place = ACTIVE(to->word);
	struct port *port = port_at(PLACE_PORT(place));

	if (!place || !port)
		return false;
	if (!is_shared(w, to->profile, place, port))
		return true;
	send_to_all(skb, w, PLACE_PORT(place), port);
	return false;
}
