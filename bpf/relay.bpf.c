// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The relay's data plane: tc ingress, direct action, on every port. The contract is in src/relay/relay.ts, its
 * executable specification in src/relay/reference/. Loads on Linux 6.1 and later.
 */
#include "access-list.h"
#include "hooks.h"
#include "rate.h"

char _license[] SEC("license") = "Dual BSD/GPL";

#define PLACE_BITS 24
#define PLACE_PORT(place) ((place) & 0x3ff)
#define PLACE_VID(place) ((place) >> 10 & 0xfff)
#define PLACE_TALLY(place) ((place) >> 22 & 3)
#define SAME_PLACE 0x3fffff /* all but the tally */
#define ACTIVE(word) ((__u32)(word) & 0xffffff)
#define ARMED_AT(word) ((__u32)((word) >> PLACE_BITS) & 0xffffff)
#define PROFILE(word) ((__u32)((word) >> 48))
#define VALUE_MAC(value) ((value) & 0xffffffffffffULL)
#define VALUE_SLOT(value) ((__u32)((value) >> 48) & 0x3fff)
#define VALUE_TALLY(value) ((__u32)((value) >> 62))

#define CONTROL 0x00c28001ULL /* 01-80-C2-00-..., first octet lowest */
#define VID_MASK 0xfff
#define ANNOUNCEMENT_COST (10000000ULL << 4) /* 100 a second and port */
#define ANNOUNCEMENT_DEPTH (20 * ANNOUNCEMENT_COST)

/* ---- counting ---- */

static __always_inline struct port_tally *port_tally(__u32 port)
{
	return bpf_map_lookup_elem(&hp_port_tallies, &port);
}

static __always_inline struct tally *vsi_tally(__u32 slot, __u32 which)
{
	__u32 index = slot << 2 | which;

	return bpf_map_lookup_elem(&hp_tallies, &index);
}

static __always_inline int drop_at_port(__u32 port, enum reason reason)
{
	struct port_tally *t = port_tally(port);

	if (t)
		t->dropped[reason]++;
	return TC_ACT_SHOT;
}

static __always_inline void drop_of_vsi(__u32 slot, __u32 which, enum reason reason)
{
	struct tally *t = vsi_tally(slot, which);

	if (t)
		__sync_fetch_and_add(&t->dropped[reason], 1);
}

static __always_inline void count(struct tally *t, enum direction direction, __u32 octets)
{
	__sync_fetch_and_add(&t->frames[direction], 1);
	__sync_fetch_and_add(&t->octets[direction], octets);
}

/* ---- looking up ---- */

static __always_inline struct port *port_at(__u32 number)
{
	return bpf_map_lookup_elem(&hp_ports, &number);
}

static __always_inline vsi_word vsi_at(__u32 slot)
{
	volatile vsi_word *word = bpf_map_lookup_elem(&hp_vsis, &slot);

	return word ? *word : 0;
}

static __always_inline struct profile *profile_at(vsi_word word)
{
	__u32 number = PROFILE(word);

	return number ? bpf_map_lookup_elem(&hp_profiles, &number) : NULL;
}

static __always_inline bool carries(const struct port *port, __u16 vlan)
{
	return port->native_vlan == vlan || port->carries[(vlan >> 6) & 63] >> (vlan & 63) & 1;
}

static __always_inline void key_of(struct work *w, __u32 port, __u16 vid, struct source_key *key)
{
	__builtin_memcpy(key->mac, &w->source, 6);
	key->vid = vid;
	key->port = port;
}

/* ---- sending ---- */

/* Dresses the frame for its receiver; false if the kernel has no memory for that. */
static __always_inline bool dress(struct work *w, const struct copy *copy)
{
	if (copy->destination != w->written) {
		if (bpf_skb_store_bytes(w->skb, 0, &copy->destination, ETH_ALEN, 0))
			return false;
		w->written = copy->destination;
	}
	return !copy->vid || !bpf_skb_vlan_push(w->skb, bpf_htons(ETH_P_8021Q), copy->vid | w->priority);
}

static __noinline int send_clone(struct work *w, struct copy *copy)
{
	struct port *port = port_at(copy->port);
	struct port_tally *t = port_tally(copy->port);

	if (!port || !t)
		return 0;
	if (!dress(w, copy) || !emit_copy(w->skb, port->ifindex))
		t->dropped[ERROR]++;
	else
		t->out++;
	if (copy->vid)
		bpf_skb_vlan_pop(w->skb);
	return 0;
}

/* One copy is always held back, because the last one is the frame itself and costs no clone. */
static __always_inline void send(struct work *w, __u32 port, __u16 vid, __u64 destination)
{
	struct copy held = w->last;

	if (held.port)
		send_clone(w, &held);
	w->last.port = port;
	w->last.vid = vid;
	w->last.destination = destination;
}

static __always_inline int send_last(struct work *w)
{
	struct port *port = port_at(w->last.port);
	struct port_tally *t = port_tally(w->last.port);

	if (!w->last.port || !port || !t)
		return TC_ACT_SHOT;
	if (!dress(w, &w->last)) {
		t->dropped[ERROR]++;
		return TC_ACT_SHOT;
	}
	t->out++;
	return emit(w->skb, port->ifindex);
}

static __always_inline void mirror(struct work *w, const struct profile *profile, enum direction direction)
{
	if (profile->mirror[direction])
		send(w, profile->mirror[direction], 0, w->destination);
}

/* ---- to a VSI ---- */

/* Sends to one of the VSI's places. A station port that shares gets the group frame once, for whomever it is. */
static __always_inline void send_to_place(struct work *w, __u32 slot, __u32 place, __u64 destination)
{
	__u32 number = PLACE_PORT(place);
	struct port *port = port_at(number);
	struct tally *t = vsi_tally(slot, PLACE_TALLY(place));
	__u64 bit = 1ULL << (number & 63);
	bool shared = destination != w->destination && port && port->shares && !PLACE_VID(place);

	if (!number || !port || !t)
		return;
	w->copied = 1;
	if (shared && w->served) {
		__u64 *served = &w->served->ports[(number >> 6) & 15];

		if (*served & bit)
			return;
		*served |= bit;
		destination = w->destination;
	}
	if (number == w->in_port && !port->reflects) {
		if (!shared)
			__sync_fetch_and_add(&t->dropped[REFLECTIVE_RELAY_OFF], 1);
		drop_at_port(number, REFLECTIVE_RELAY_OFF);
		return;
	}
	if (!shared)
		count(t, TO_VM, w->octets);
	send(w, number, PLACE_VID(place), destination);
}

/* Access list and rate of one direction; the first reason against the frame, or REASONS. */
static __always_inline enum reason judge(struct work *w, __u32 slot, struct profile *profile, enum direction direction)
{
	__u32 bucket = slot << 1 | direction;
	__u64 *full_at;

	if (decide(w, profile->access_list, direction) == DENY)
		return ACCESS_LIST;
	if (!profile->rate[direction].max)
		return REASONS;
	full_at = bpf_map_lookup_elem(&hp_buckets, &bucket);
	if (full_at && !conforms(full_at, w->octets * profile->rate[direction].cost >> 20,
				 profile->rate[direction].depth, w->now))
		return RATE;
	return REASONS;
}

static __noinline int deliver(struct work *w, __u32 slot, __u64 word, __u64 destination)
{
	struct profile *profile = profile_at(word);
	__u32 place = ACTIVE(word) ? ACTIVE(word) : ARMED_AT(word);
	enum reason reason;

	if (!profile || !place)
		return 0;
	reason = judge(w, slot, profile, TO_VM);
	if (reason != REASONS) {
		w->copied = 1;
		drop_of_vsi(slot, PLACE_TALLY(place), reason);
		drop_at_port(PLACE_PORT(place), reason);
		return 0;
	}
	mirror(w, profile, TO_VM);
	send_to_place(w, slot, ACTIVE(word), destination);
	send_to_place(w, slot, ARMED_AT(word), destination);
	return 0;
}

/* ---- within a VLAN ---- */

static long to_member(__u32 index, void *context)
{
	struct work *w = context;
	__u32 slot = w->next;
	volatile __u64 *next = bpf_map_lookup_elem(&hp_next, &slot);
	__u64 *mac = bpf_map_lookup_elem(&hp_macs, &slot);
	struct profile *profile;
	vsi_word word;

	if (!slot || !next || !mac)
		return 1;
	w->next = *next;
	word = vsi_at(slot);
	profile = profile_at(word);
	if (slot != w->sender && profile && profile->vlan == w->vlan)
		deliver(w, slot, word, *mac);
	return 0;
}

#define NETWORK_PORTS 16

static __noinline int to_network(struct work *w)
{
	struct port *port = port_at(0);
	__u32 number;

	for (int i = 0; i < NETWORK_PORTS; i++) {
		if (!port)
			return 0;
		number = *(volatile __u32 *)&port->next;
		if (!number)
			return 0;
		port = port_at(number);
		if (port && number != w->in_port && carries(port, w->vlan)) {
			w->copied = 1;
			send(w, number, port->native_vlan == w->vlan ? 0 : w->vlan, w->destination);
		}
	}
	return 0;
}

static __always_inline void to_group(struct work *w)
{
	__u32 vlan = w->vlan, only = 0;
	volatile __u64 *first = bpf_map_lookup_elem(&hp_members, &vlan);

	to_network(w);
	w->served = bpf_map_lookup_elem(&hp_served, &only);
	if (!first || !w->served)
		return;
	__builtin_memset(w->served, 0, sizeof(*w->served));
	w->next = *first;
	bpf_loop(SLOTS, to_member, w, 0);
}

/* False if there was nobody to send to. */
static __always_inline bool to_one(struct work *w)
{
	struct destination_key key = { .vlan = w->vlan };
	volatile address_value *value;
	struct profile *profile;
	address_value found;
	vsi_word word;

	__builtin_memcpy(key.mac, &w->destination, 6);
	value = bpf_map_lookup_elem(&hp_destinations, &key);
	found = value ? *value : 0;
	if (VALUE_MAC(found) == w->destination) {
		word = vsi_at(VALUE_SLOT(found));
		profile = profile_at(word);
		if (profile && profile->vlan == w->vlan) {
			deliver(w, VALUE_SLOT(found), word, w->destination);
			if (ACTIVE(word))
				return true;
		}
	}
	/* not a VSI's, or of one that is active nowhere here: another bridge may have it */
	to_network(w);
	return w->copied;
}

/* ---- from a station ---- */

/* Tells the agent of an announcement, at a rate that a flood of them cannot raise. */
static __always_inline void announce(struct work *w, struct port *port, __u16 vid, enum reason reason)
{
	struct announcement *a;

	if (!is_announcement(w->skb, w->headers->keys[KEY_ETHER_TYPE]) || !conforms(&port->announced, ANNOUNCEMENT_COST, ANNOUNCEMENT_DEPTH, w->now))
		return;
	a = bpf_ringbuf_reserve(&hp_announcements, sizeof(*a), 0);
	if (!a)
		return;
	__builtin_memset(a, 0, sizeof(*a));
	a->at = w->now;
	a->port = w->in_port;
	a->vid = vid;
	__builtin_memcpy(a->mac, &w->source, 6);
	a->reason = reason;
	bpf_ringbuf_submit(a, 0);
}

static __always_inline void remember_stranger(struct work *w, __u16 vid)
{
	struct stranger new = { .frames = 1, .last = w->now };
	struct stranger *known;
	struct source_key key;

	key_of(w, w->in_port, vid, &key);
	known = bpf_map_lookup_elem(&hp_strangers, &key);
	if (known) {
		__sync_fetch_and_add(&known->frames, 1);
		known->last = w->now;
	} else {
		bpf_map_update_elem(&hp_strangers, &key, &new, BPF_ANY);
	}
}

/* Finds and judges the sender; true if the frame may go on, in w->vlan. */
static __always_inline bool from_station(struct work *w, struct port *port, __u16 vid)
{
	enum reason reason = UNASSOCIATED;
	volatile address_value *value;
	struct profile *profile;
	struct source_key key;
	address_value found;
	struct tally *t;
	vsi_word word;
	__u32 here = w->in_port | (__u32)vid << 10;

	key_of(w, w->in_port, vid, &key);
	value = bpf_map_lookup_elem(&hp_sources, &key);
	found = value ? *value : 0;
	if (VALUE_MAC(found) != w->source)
		found = 0;
	word = vsi_at(VALUE_SLOT(found));
	profile = profile_at(word);
	if (!found || !profile) {
		remember_stranger(w, vid);
		announce(w, port, vid, UNASSOCIATED);
		drop_at_port(w->in_port, UNASSOCIATED);
		return false;
	}
	w->sender = VALUE_SLOT(found);
	w->vlan = profile->vlan;
	if ((ACTIVE(word) & SAME_PLACE) != here) {
		reason = (ARMED_AT(word) & SAME_PLACE) == here ? ARMED : MOVED;
		announce(w, port, vid, reason);
	} else {
		reason = judge(w, w->sender, profile, FROM_VM);
	}
	if (reason != REASONS) {
		drop_of_vsi(w->sender, VALUE_TALLY(found), reason);
		drop_at_port(w->in_port, reason);
		return false;
	}
	t = vsi_tally(w->sender, VALUE_TALLY(found));
	if (!t)
		return false;
	count(t, FROM_VM, w->octets);
	if (!t->first)
		t->first = w->now;
	t->last = w->now;
	mirror(w, profile, FROM_VM);
	return true;
}

static __always_inline bool from_network(struct work *w, struct port *port, __u16 vid)
{
	w->vlan = vid ? vid : port->native_vlan;
	if (w->vlan && carries(port, w->vlan))
		return true;
	drop_at_port(w->in_port, VLAN);
	return false;
}

SEC("tc")
int hp_relay(struct __sk_buff *skb)
{
	void *data, *end;
	__u32 ifindex = skb->ifindex;
	__u32 *number = bpf_map_lookup_elem(&hp_port_of, &ifindex);
	struct work w = { .skb = skb };
	struct ethhdr *ethernet;
	struct port_tally *t;
	struct port *port;
	__u32 only = 0;
	__u16 vid = 0;

	as_received(skb);
	data = (void *)(long)skb->data;
	end = (void *)(long)skb->data_end;
	ethernet = data;
	w.headers = bpf_map_lookup_elem(&hp_headers, &only);
	if (data + sizeof(*ethernet) > end || !w.headers)
		return TC_ACT_SHOT;
	w.headers->parsed = 0;
	w.destination = w.written = mac_at(ethernet->h_dest);
	w.source = mac_at(ethernet->h_source);
	w.headers->keys[KEY_ETHER_TYPE] = bpf_ntohs(ethernet->h_proto);
	if ((w.destination & 0xffffffffff) == CONTROL && w.destination >> 44 == 0)
		return TC_ACT_OK;
	port = number ? port_at(*number) : NULL;
	if (!port)
		return TC_ACT_SHOT;
	w.in_port = *number;
	w.now = now_ns();
	w.octets = skb->len;
	t = port_tally(w.in_port);
	if (t)
		t->in++;

	if (skb->vlan_present) {
		if (skb->vlan_proto == bpf_htons(ETH_P_8021Q)) {
			vid = skb->vlan_tci & VID_MASK;
			w.priority = skb->vlan_tci & ~VID_MASK;
			if (bpf_skb_vlan_pop(skb))
				return drop_at_port(w.in_port, ERROR);
		} else {
			w.headers->keys[KEY_ETHER_TYPE] = bpf_ntohs(skb->vlan_proto);
			w.octets += 4;
		}
	}

	if (port->kind == STATION ? !from_station(&w, port, vid) : !from_network(&w, port, vid))
		return send_last(&w);
	if (w.destination & 1) {
		to_group(&w);
	} else if (!to_one(&w)) {
		if (w.sender) {
			vsi_word word = vsi_at(w.sender);
			drop_of_vsi(w.sender, PLACE_TALLY(ACTIVE(word)), UNKNOWN_DESTINATION);
		}
		drop_at_port(w.in_port, UNKNOWN_DESTINATION);
	}
	return send_last(&w);
}
