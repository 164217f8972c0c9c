// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Which network port an address was last seen at, in each VLAN. */
#pragma once
#include "vsi.h"

#define REFRESH_AFTER (1 << 20) /* ns: so that a stream of frames is not a stream of writes */

static __always_inline void learned_key(__u64 mac, __u16 vlan, struct destination_key *key)
{
	__builtin_memcpy(key->mac, &mac, 6);
	key->vlan = vlan;
}

/* Writes that the source is here, unless it is a VSI's that is active on this bridge. */
__noinline int learn_anew(struct work *w)
{
	struct destination_key key;
	struct profile *profile;
	address_value value;
	seen_word word;
	vsi_word vsi;

	if (!w)
		return 0;
	value = destination_of(w->source, w->vlan);
	vsi = vsi_at(VALUE_SLOT(value));
	profile = profile_at(vsi);
	if (profile && VALUE_MAC(value) == w->source && is_in(profile, w->vlan) && ACTIVE(vsi))
		return 0;
	word = SEEN_WORD(w->in_port, w->now);
	learned_key(w->source, w->vlan, &key);
	bpf_map_update_elem(&hp_learned, &key, &word, BPF_ANY);
	return 0;
}

static __always_inline void learn(struct work *w)
{
	struct destination_key key;
	volatile seen_word *known;
	seen_word word;

	if (w->source & 1)
		return;
	learned_key(w->source, w->vlan, &key);
	known = bpf_map_lookup_elem(&hp_learned, &key);
	word = known ? *known : 0;
	if (SEEN_PORT(word) != w->in_port || age(w, word) > REFRESH_AFTER)
		learn_anew(w);
}

/* Whether the destination was learned at the VLAN's active network port. */
__noinline int is_learned(struct work *w)
{
	__u32 only = 0;
	struct settings *settings = bpf_map_lookup_elem(&hp_settings, &only);
	struct destination_key key;
	volatile seen_word *known;
	seen_word word;

	if (!w)
		return 0;
	learned_key(w->destination, w->vlan, &key);
	known = bpf_map_lookup_elem(&hp_learned, &key);
	word = known ? *known : 0;
	if (!word || !settings || age(w, word) >= (__s64)settings->ageing)
		return 0;
	return SEEN_PORT(word) == network_port(w->vlan);
}
