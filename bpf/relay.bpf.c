// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The relay's data plane: at tc ingress of every port. The contract is in src/relay/contract/relay.ts, its executable
 * specification in src/relay/reference/. Loads on Linux 6.1 and later.
 *
 * Of the sk_buff only these are used: reading octets, the tag beside the frame, writing octets and sending copies, all
 * but the reading in send.h, mark.h and the entry below. An XDP entry would need another `struct work` (an xdp_md, the tag
 * taken out of the frame), those three, and a clone for frames with more than one copy; the rest does not know of skbs.
 */
#include "deliver.h"

char _license[] SEC("license") = "Dual BSD/GPL";

#define CONTROL 0x00c28001ULL /* 01-80-C2-00-..., first octet lowest */
#define VID_MASK 0xfff
#define ANNOUNCEMENT_COST (10000000ULL << 4) /* 100 a second and port */
#define ANNOUNCEMENT_DEPTH (20 * ANNOUNCEMENT_COST)

/* ---- within a VLAN ---- */

/* What a walk needs. */
struct walk {
	struct __sk_buff *skb;
	struct work *w;
};

/* To one member of the VLAN, each copy addressed to it. */
__noinline int to_member(struct __sk_buff *skb, struct work *w, __u32 slot)
{
	struct held to;

	if (w && look_at(&to, slot) && is_in(to.profile, w->vlan) && wants_its_own(skb, w, &to))
		deliver(skb, w, &to, to.slot->mac);
	return 0;
}

static long to_node(__u32 index, void *context)
{
	struct walk *walk = context;
	struct work *w = walk->w;
	__u32 node = w->next, slot;
	volatile __u64 *word = bpf_map_lookup_elem(&hp_nodes, &node);
	__u64 found;

	if (!node || !word)
		return 1;
	found = *word;
	w->next = found;
	slot = found >> 32;
	if (slot != w->sender)
		to_member(walk->skb, w, slot);
	return 0;
}

/* What a station sent, by the VLAN's active network port; nothing goes from network port to network port. */
static __always_inline void to_network(struct __sk_buff *skb, struct work *w)
{
	__u32 number = network_port(w->vlan);
	struct port *port = port_at(number);

	if (!w->sender || !number || !port)
		return;
	w->copied = 1;
	if (fits(skb, w, number, port, 0))
		send(skb, w, number, port->native_vlan == w->vlan ? 0 : w->vlan, w->destination, 0);
}

/* On from the node `w->next`; what is beyond a portion later, unless the kernel has no room for that. */
static __always_inline void to_members(struct __sk_buff *skb, struct work *w)
{
	struct walk walk = { .skb = skb, .w = w };

	bpf_loop(PORTION, to_node, &walk, 0);
	if (w->next && !later(skb, w))
		bpf_loop(NODES, to_node, &walk, 0);
}

static __always_inline void to_group(struct __sk_buff *skb, struct work *w)
{
	__u32 vlan = w->vlan;
	volatile __u64 *first = bpf_map_lookup_elem(&hp_members, &vlan);
	struct rest *rest = scratch();

	to_network(skb, w);
	if (!first || !rest)
		return;
	for (__u32 i = 0; i < PORTS / 64; i++)
		rest->served[i] = 0;
	w->group = 1;
	w->next = *first;
	to_members(skb, w);
}

static __always_inline void drop_of_sender(struct __sk_buff *skb, struct work *w, enum reason reason)
{
	drop(skb, w, w->in_port, w->sender ? OF_VSI(w->sender, w->tally & 3) : 0, reason);
}

/* It is not a VSI's, or of one that is active nowhere here. */
static __noinline int to_elsewhere(struct __sk_buff *skb, struct work *w)
{
	to_network(skb, w);
	if (!w->copied)
		drop_of_sender(skb, w, !w->sender && is_learned(w) ? SAME_PORT : UNKNOWN_DESTINATION);
	return 0;
}

static __always_inline void to_one(struct __sk_buff *skb, struct work *w)
{
	struct held to;

	find_destination(w, &to);
	if (to.number && to.slot && to.profile)
		deliver(skb, w, &to, w->destination);
	if (!ACTIVE(to.word))
		to_elsewhere(skb, w);
}

/* ---- from a station ---- */

/* Tells the agent of an announcement, at a rate that a flood of them cannot raise; `full_at`: the bucket's. */
static __noinline int announce(struct __sk_buff *skb, struct work *w, __u64 *full_at, __u32 reason)
{
	struct announcement *a;

	if (w->in_snap || !is_announcement(skb, w->ether_type) || !conforms(full_at, ANNOUNCEMENT_COST, ANNOUNCEMENT_DEPTH, w->now))
		return 0;
	a = bpf_ringbuf_reserve(&hp_announcements, sizeof(*a), 0);
	if (!a)
		return 0;
	__builtin_memset(a, 0, sizeof(*a));
	a->at = w->now;
	a->port = w->in_port;
	a->vid = w->vid;
	__builtin_memcpy(a->mac, &w->source, 6);
	a->reason = reason;
	bpf_ringbuf_submit(a, 0);
	return 0;
}

static __always_inline void remember_stranger(struct work *w)
{
	struct stranger new = { .frames = 1, .last = w->now };
	struct stranger *known;
	struct source_key key;

	source_key_of(w, &key);
	known = bpf_map_lookup_elem(&hp_strangers, &key);
	if (known) {
		__sync_fetch_and_add(&known->frames, 1);
		known->last = w->now;
	} else {
		bpf_map_update_elem(&hp_strangers, &key, &new, BPF_ANY);
	}
}

/* A frame that did not come from where its source is active: it ends here. */
static __noinline int refuse(struct __sk_buff *skb, struct work *w, struct port *port)
{
	address_value found = source_of(w);
	vsi_word word = vsi_at(VALUE_SLOT(found));
	struct profile *profile = profile_at(word);
	struct slot *slot = slot_at(VALUE_SLOT(found));
	enum reason reason = MOVED;

	if (!found || !profile || !slot) {
		remember_stranger(w);
		announce(skb, w, &port->announced, UNASSOCIATED);
		drop(skb, w, w->in_port, 0, UNASSOCIATED);
		return 0;
	}
	if (vlan_at(profile, ARMED_AT(word), w->in_port, w->vid))
		reason = ARMED;
	/* of a VSI that is awaited here, no other keeps the agent from hearing */
	announce(skb, w, reason == ARMED ? &slot->announced : &port->announced, reason);
	drop(skb, w, w->in_port, OF_VSI(VALUE_SLOT(found), VALUE_TALLY(found)), reason);
	return 0;
}

/* Whether what leads to a VSI leads to the sender, where it is active. */
static __always_inline bool is_active_sender(struct work *w, struct held *from, address_value value)
{
	if (!value || VALUE_MAC(value) != w->source || !look_at(from, VALUE_SLOT(value)))
		return false;
	w->vlan = vlan_at(from->profile, ACTIVE(from->word), w->in_port, w->vid);
	w->tally = PLACE_TALLY(ACTIVE(from->word));
	return w->vlan != 0;
}

/* Whether the sender was active here until a moment ago. */
static __always_inline bool is_late_sender(struct work *w, struct held *from)
{
	address_value value = late_source_of(w);

	if (!value || !look_at(from, VALUE_SLOT(value)))
		return false;
	w->vlan = is_trunk(from->profile, w->vid) ? w->vid : from->profile->vlan;
	w->tally = VALUE_TALLY(value);
	return true;
}

/* Finds and judges the sender; true if the frame may go on, in w->vlan. */
static __always_inline bool from_station(struct __sk_buff *skb, struct work *w, struct port *port)
{
	__u64 key = (w->source | (__u64)w->vid << 48) ^ w->in_port * HINT_PORT_FACTOR;
	struct held from;
	enum reason reason;
	struct tally *t;
	__u32 tally, does;

	if (!is_active_sender(w, &from, hint_at(&hp_source_hints, key)) && !is_active_sender(w, &from, source_of(w)) &&
	    !is_late_sender(w, &from)) {
		refuse(skb, w, port);
		return false;
	}
	if (!from.profile || !from.slot)
		return false;
	w->sender = from.number;
	w->tenant = from.profile->tenant;
	tally = w->tally & 3;
	reason = judge(skb, w, &from, FROM_VM);
	if (reason != REASONS) {
		drop(skb, w, w->in_port, OF_VSI(from.number, tally), reason);
		return false;
	}
	t = &from.slot->tallies[tally];
	count(t, FROM_VM, w->octets);
	if (!t->first)
		t->first = w->now;
	t->last = w->now;
	does = from.profile->does[FROM_VM];
	if (does & DOES_MARK)
		mark(skb, w, from.profile);
	if (does & DOES_MIRROR)
		mirror(skb, w, &from, FROM_VM);
	return true;
}

/* ---- from the network ---- */

/* Bits of `host_protocols`; src/relay/ebpf/memory/layout.ts has them in this order. */
static __always_inline __u32 protocol_bit(__u32 ether_type)
{
	return ether_type == ETH_P_LLDP ? 1 : ether_type == ETH_P_SLOW ? 2 : ether_type == ETH_P_PAE ? 4 : 0;
}

/* The agent's sockets have their copy already. */
static __always_inline int control(struct __sk_buff *skb, struct work *w, struct port *port)
{
	if (port->kind != NETWORK || skb->vlan_present || !(port->host_protocols & protocol_bit(w->ether_type)))
		return TC_ACT_SHOT;
	return pass_to_host(skb);
}

static __always_inline bool is_for_host(struct work *w, struct port *port)
{
	return port->host_vlan && w->vlan == port->host_vlan && (w->destination & 1 || w->destination == port->host_mac);
}

static __always_inline bool from_network(struct __sk_buff *skb, struct work *w, struct port *port)
{
	w->vlan = w->vid ? w->vid : port->native_vlan;
	w->to_host = is_for_host(w, port);
	if (w->to_host && !(w->destination & 1))
		return false;
	if (!w->vlan || network_port(w->vlan) != w->in_port) {
		if (!w->to_host)
			drop(skb, w, w->in_port, 0, w->vlan && carries(port, w->vlan) ? STANDBY : VLAN);
		return false;
	}
	learn(w);
	if (w->destination == ALL_NODES)
		hear_router(skb, w);
	return true;
}

/*
 * Takes the tag off the frame; false if it ends here. Behind an 802.1ad tag, or a second one, nobody here looks, but
 * receivers do: a tag with VID 0 is nothing to them (CVE-2021-27853), and a port that sends untagged lays the next one bare.
 */
static __always_inline bool take_tag(struct __sk_buff *skb, struct work *w)
{
	w->vid = skb->vlan_tci & VID_MASK;
	w->priority = skb->vlan_tci & ~VID_MASK;
	w->tagged = 1;
	if (skb->vlan_proto != bpf_htons(ETH_P_8021Q) || is_tag(w->ether_type)) {
		drop(skb, w, w->in_port, 0, VLAN);
		return false;
	}
	if (!bpf_skb_vlan_pop(skb))
		return true;
	drop(skb, w, w->in_port, 0, ERROR);
	return false;
}

#define LEAST_ETHER_TYPE 0x600

/* Looks for an EtherType in SNAP; false if it is a tag's, or that of a tag that no kernel takes off. */
static __always_inline bool take_ether_type(struct __sk_buff *skb, struct work *w)
{
	__u32 inside;

	if (w->ether_type < LEAST_ETHER_TYPE) {
		inside = type_in_snap(skb);
		if (inside) {
			w->ether_type = inside;
			w->in_snap = 1;
		}
	}
	if (!is_tag(w->ether_type))
		return true;
	drop(skb, w, w->in_port, 0, VLAN);
	return false;
}

SEC("tc")
int hp_relay(struct __sk_buff *skb)
{
	struct ethhdr *ethernet;
	struct port_tally *t;
	struct port *port;
	struct work work = {}, *w = &work;

	as_received(skb);
	ethernet = (void *)(long)skb->data;
	if ((void *)(ethernet + 1) > (void *)(long)skb->data_end)
		return TC_ACT_SHOT;
	w->destination = w->written = mac_at(ethernet->h_dest);
	w->source = mac_at(ethernet->h_source);
	w->ether_type = bpf_ntohs(ethernet->h_proto);
	if (skb->mark >> 24 == REST && resume(skb, w)) {
		to_members(skb, w);
		return send_last(skb, w);
	}
	w->in_port = port_on(skb->ifindex);
	port = port_at(w->in_port);
	t = port_tally(w->in_port);
	if (!w->in_port || !port || !t)
		return TC_ACT_SHOT;
	if ((w->destination & 0xffffffffff) == CONTROL && w->destination >> 44 == 0)
		return control(skb, w, port);
	w->now = now_ns();
	w->octets = skb->len;
	t->in++;

	if (skb->vlan_present && !take_tag(skb, w))
		return TC_ACT_SHOT;
	if (!take_ether_type(skb, w))
		return TC_ACT_SHOT;
	if (port->kind == STATION ? from_station(skb, w, port) : from_network(skb, w, port)) {
		if (w->destination & 1)
			to_group(skb, w);
		else
			to_one(skb, w);
	}
	return w->to_host ? to_host(skb, w) : send_last(skb, w);
}

#define SAFE_CUT 128

/*
 * At tc egress of mirror ports: cuts what was marked to be cut. The kernel refuses to cut before the transport header that
 * a frame came with, from a veth or tap device for example; such a frame is cut behind the headers.
 */
SEC("tc")
int hp_trim(struct __sk_buff *skb)
{
	__u32 octets = TRIM_TO(skb->mark);

	if (octets && octets < skb->len && bpf_skb_change_tail(skb, octets, 0) && octets < SAFE_CUT && skb->len > SAFE_CUT)
		bpf_skb_change_tail(skb, SAFE_CUT, 0);
	return TC_ACT_UNSPEC;
}
