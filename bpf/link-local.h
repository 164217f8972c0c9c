// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Whose a link-local address is, in each VLAN: theirs who use it first (RFC 6620 has the idea), unless a router outside does.
 * A guest makes its address of its MAC (RFC 4291), which nobody else may use, or of a secret (RFC 7217).
 *
 * An entry of hp_claims is believed only when its VSI is in the VLAN and has the address among its claims. An entry goes with
 * the claim: a VSI that uses thousands of addresses would push everybody else's out. A router is known by the port that it was
 * heard at, with which it is forgotten.
 */
#pragma once
#include "vsi.h"

#define ALL_NODES 0x010000003333ULL /* 33-33-00-00-00-01, first octet lowest */
#define ROUTER_ADVERTISEMENT 134
#define ROUTER_AGE 9000000000000LL /* ns: longer than one advertisement makes a router (RFC 4861, 6.2.1) */

/* fe80::/64 (RFC 4291, 2.5.6) */
static __always_inline bool is_link_local(const struct address *a)
{
	return a->words[0] == bpf_htonl(0xfe800000) && !a->words[1];
}

/* Made of a MAC address (RFC 4291, appendix A), so somebody's already. */
static __always_inline bool is_of_mac(const struct address *a)
{
	return (a->words[2] & bpf_htonl(0xff)) == bpf_htonl(0xff) && (a->words[3] & bpf_htonl(0xff000000)) == bpf_htonl(0xfe000000);
}

static __always_inline bool is_link_local_of(const struct address *a, __u64 mac)
{
	const __u8 *m = (const __u8 *)&mac;
	__u32 third = (m[0] ^ 2) | m[1] << 8 | m[2] << 16 | 0xffU << 24;
	__u32 fourth = 0xfe | m[3] << 8 | m[4] << 16 | (__u32)m[5] << 24;

	return is_link_local(a) && a->words[2] == third && a->words[3] == fourth;
}

static __always_inline bool is_same(const struct claim *a, const struct claim *b)
{
	return a->vlan == b->vlan && a->address[0] == b->address[0] && a->address[1] == b->address[1] &&
	       a->address[2] == b->address[2] && a->address[3] == b->address[3];
}

/* Whether the VSI that is in the slot is in the VLAN and has the address among its claims. */
static __always_inline bool holds(__u32 number, const struct claim *key)
{
	struct slot *slot = slot_at(number);
	struct profile *profile = slot ? profile_at(word_of(slot)) : NULL;

	if (!slot || !profile || !is_in(profile, key->vlan))
		return false;
	for (int i = 0; i < CLAIMS; i++)
		if (is_same(&slot->claims[i], key))
			return true;
	return false;
}

static __always_inline void claim_key(struct claim *key, const struct address *a, __u32 vlan)
{
	__builtin_memcpy(key->address, a->words, 16);
	key->vlan = vlan;
}

/* Puts it among the VSI's claims, in the place of the oldest, which goes. */
static __always_inline void add_claim(__u32 number, struct slot *slot, const struct claim *key)
{
	struct claim *place = &slot->claims[__sync_fetch_and_add(&slot->claimed, 1) & (CLAIMS - 1)], oldest = *place;
	__u64 *holder = bpf_map_lookup_elem(&hp_claims, &oldest);

	*place = *key;
	if (holder && *holder == number)
		bpf_map_delete_elem(&hp_claims, &oldest);
}

/* Whether a router outside advertised it. */
static __always_inline bool is_router(struct work *w, const struct claim *key)
{
	seen_word *heard = bpf_map_lookup_elem(&hp_routers, key);

	return heard && age(w, *heard) < ROUTER_AGE;
}

/* Whether the address is the VSI's, as it is if nobody else holds it; `given`: it was given it by name. */
__noinline int claim(struct work *w, __u32 number, const struct address *a, __u32 given)
{
	__u64 *found, value = number;
	struct slot *slot = slot_at(number);
	struct claim key;
	__u32 holder;
	bool known;

	if (!w || !a || !slot)
		return 0;
	claim_key(&key, a, w->vlan);
	found = bpf_map_lookup_elem(&hp_claims, &key);
	holder = found ? *found : 0;
	if (!given) {
		if (is_of_mac(a) || is_router(w, &key))
			return 0;
		if (holder && holder != number && holds(holder, &key))
			return 0;
	}
	known = holds(number, &key);
	if (!known)
		add_claim(number, slot, &key);
	if (!known || holder != number)
		bpf_map_update_elem(&hp_claims, &key, &value, BPF_ANY);
	return 1;
}

/* A router outside that advertises itself. */
__noinline int hear_router(struct __sk_buff *skb, struct work *w)
{
	struct headers *h;
	struct claim key;
	seen_word word;

	if (!w)
		return 0;
	h = headers_of(skb, w);
	if (!h || h->family != 6 || h->keys[KEY_PROTOCOL] != PROTOCOL_ICMP6 || h->keys[KEY_ICMP_TYPE] != ROUTER_ADVERTISEMENT ||
	    !is_link_local(&h->source))
		return 0;
	word = SEEN_WORD(w->in_port, w->now);
	claim_key(&key, &h->source, w->vlan);
	bpf_map_update_elem(&hp_routers, &key, &word, BPF_ANY);
	return 0;
}
