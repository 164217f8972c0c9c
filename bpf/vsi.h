// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Ports, VSIs and their profiles, and the ways that lead to them. */
#pragma once
#include "frame.h"

#define PLACE_BITS 24
#define PLACE_PORT(place) ((place) & 0x3ff)
#define PLACE_VID(place) ((place) >> 10 & 0xfff)
#define PLACE_TALLY(place) ((place) >> 22 & 3)
#define ACTIVE(word) ((__u32)(word) & 0xffffff)
#define ARMED_AT(word) ((__u32)((word) >> PLACE_BITS) & 0xffffff)
#define PROFILE(word) ((__u32)((word) >> 48))
#define SEEN_PORT(word) ((word) & 0x3ff)
#define SEEN_AT(word) ((word) >> 10 << 4)
#define SEEN_WORD(port, now) ((now) >> 4 << 10 | (port))
#define VALUE_MAC(value) ((value) & 0xffffffffffffULL)
#define VALUE_SLOT(value) ((__u32)((value) >> 48) & 0x3fff)
#define VALUE_TALLY(value) ((__u32)((value) >> 62))

static __always_inline struct port *port_at(__u32 number)
{
	return bpf_map_lookup_elem(&hp_ports, &number);
}

/* The number of the interface's port, 0 if it has none. */
static __always_inline __u32 port_on(__u32 ifindex)
{
	__u32 index = ifindex & (INTERFACES - 1), *number;
	volatile __u64 *likely = bpf_map_lookup_elem(&hp_interfaces, &index);
	__u64 word = likely ? *likely : 0;

	if (word >> 32 == ifindex)
		return word;
	number = bpf_map_lookup_elem(&hp_port_of, &ifindex);
	return number ? *number : 0;
}

static __always_inline struct slot *slot_at(__u32 number)
{
	return bpf_map_lookup_elem(&hp_slots, &number);
}

static __always_inline vsi_word word_of(struct slot *slot)
{
	return *(volatile vsi_word *)&slot->word;
}

static __always_inline vsi_word vsi_at(__u32 number)
{
	struct slot *slot = slot_at(number);

	return slot ? word_of(slot) : 0;
}

static __always_inline struct profile *profile_at(vsi_word word)
{
	__u32 number = PROFILE(word);

	return number ? bpf_map_lookup_elem(&hp_profiles, &number) : NULL;
}

static __always_inline bool has_bit(const __u64 *bits, __u16 vlan)
{
	return bits[(vlan >> 6) & 63] >> (vlan & 63) & 1;
}

/* Whether the network port carries the VLAN. */
static __always_inline bool carries(const struct port *port, __u16 vlan)
{
	return port->native_vlan == vlan || has_bit(port->carries, vlan);
}

/* The number of the VLAN's active network port, 0: it has none. */
static __always_inline __u32 network_port(__u32 vlan)
{
	volatile __u64 *number = bpf_map_lookup_elem(&hp_network_ports, &vlan);

	return number ? *number : 0;
}

static __always_inline bool is_trunk(const struct profile *profile, __u16 vlan)
{
	return profile->trunks && has_bit(profile->trunk, vlan);
}

/* Whether the VSI is in the VLAN. */
static __always_inline bool is_in(const struct profile *profile, __u16 vlan)
{
	return profile->vlan == vlan || is_trunk(profile, vlan);
}

/* The VID on its link, at this place, of frames in a VLAN of the VSI's; 0: no tag. */
static __always_inline __u16 vid_of(const struct profile *profile, __u32 place, __u16 vlan)
{
	return vlan == profile->vlan ? PLACE_VID(place) : vlan;
}

/* The VLAN of frames with this VID at this port, if this is the VSI's place and they are its; else 0. */
static __always_inline __u16 vlan_at(const struct profile *profile, __u32 place, __u32 port, __u16 vid)
{
	if (PLACE_PORT(place) != port)
		return 0;
	if (PLACE_VID(place) == vid)
		return profile->vlan;
	return is_trunk(profile, vid) ? vid : 0;
}

/* src/relay/ebpf/memory/layout.ts does the same. */
#define HINT_FACTOR 0x9e3779b97f4a7c15ULL
#define HINT_PORT_FACTOR 0xc2b2ae3d27d4eb4fULL

static __always_inline address_value hint_at(void *hints, __u64 key)
{
	__u32 index = key * HINT_FACTOR >> 48;
	volatile address_value *value = bpf_map_lookup_elem(hints, &index);

	return value ? *value : 0;
}

static __always_inline void source_key_of(struct work *w, struct source_key *key)
{
	__builtin_memcpy(key->mac, &w->source, 6);
	key->vid = w->vid;
	key->port = w->in_port;
}

/* What leads to a sender, not active or not hinted at. */
__noinline __u64 source_of(struct work *w)
{
	volatile address_value *value;
	struct source_key key;
	address_value found;

	if (!w)
		return 0;
	source_key_of(w, &key);
	value = bpf_map_lookup_elem(&hp_sources, &key);
	found = value ? *value : 0;
	return VALUE_MAC(found) == w->source ? found : 0;
}

/* Since then, in ns; below 0 where another CPU, or the driver, was faster than this frame. */
static __always_inline __s64 age(struct work *w, seen_word word)
{
	return w->now - SEEN_AT(word);
}

#define LATE_FOR 100000000 /* ns */

/* What leads to a sender that was active here until a moment ago: its last frames are still on their way when a VSI turns. */
__noinline __u64 late_source_of(struct work *w)
{
	address_value found;
	struct slot *slot;
	seen_word left;

	if (!w)
		return 0;
	found = source_of(w);
	slot = slot_at(VALUE_SLOT(found));
	left = slot ? *(volatile seen_word *)&slot->left : 0;
	return left && SEEN_PORT(left) == w->in_port && age(w, left) < LATE_FOR ? found : 0;
}

/* A VSI that the data plane holds, as it is at one moment. */
struct held {
	vsi_word word;
	struct slot *slot;
	struct profile *profile;
	__u32 number;            /* of the slot; 0: there is no such VSI */
};

/* Whether a VSI is in the slot. */
static __always_inline bool look_at(struct held *held, __u32 number)
{
	held->number = number;
	held->slot = slot_at(number);
	held->word = held->slot ? word_of(held->slot) : 0;
	held->profile = profile_at(held->word);
	return held->profile != NULL;
}

static __always_inline bool is_destination(struct work *w, struct held *held, address_value value)
{
	if (look_at(held, VALUE_SLOT(value)) && VALUE_MAC(value) == w->destination && is_in(held->profile, w->vlan))
		return true;
	held->number = 0;
	held->word = 0;
	return false;
}

__noinline __u64 destination_of(__u64 mac, __u32 vlan)
{
	struct destination_key key = { .vlan = vlan };
	volatile address_value *value;

	__builtin_memcpy(key.mac, &mac, 6);
	value = bpf_map_lookup_elem(&hp_destinations, &key);
	return value ? *value : 0;
}

/* The VSI that has the frame's destination address in its VLAN. */
static __always_inline void find_destination(struct work *w, struct held *held)
{
	if (!is_destination(w, held, hint_at(&hp_destination_hints, w->destination | (__u64)w->vlan << 48)))
		is_destination(w, held, destination_of(w->destination, w->vlan));
}
