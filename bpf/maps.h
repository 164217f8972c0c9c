// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The maps that outlive the program: pinned by name, and written by the driver (layout.h). */
#pragma once
#include "layout.h"
#include <bpf/bpf_helpers.h>

#define DECLARE(name, map_type, key_type, value_type, entries, flags) \
	struct { \
		__uint(type, map_type); \
		__type(key, key_type); \
		__type(value, value_type); \
		__uint(max_entries, entries); \
		__uint(map_flags, flags); \
		__uint(pinning, LIBBPF_PIN_BY_NAME); \
	} name SEC(".maps")

#define MAPPED BPF_F_MMAPABLE

DECLARE(hp_settings, BPF_MAP_TYPE_ARRAY, __u32, struct settings, 1, MAPPED);
DECLARE(hp_ports, BPF_MAP_TYPE_ARRAY, __u32, struct port, PORTS, MAPPED);
/* The number of each VLAN's active network port, 0: it has none. */
DECLARE(hp_network_ports, BPF_MAP_TYPE_ARRAY, __u32, __u64, 4096, MAPPED);
/* Bits 0 to 31 the port, 32 to 63 the interface it is on; of interfaces that share an element, the others are in `port_of`. */
DECLARE(hp_interfaces, BPF_MAP_TYPE_ARRAY, __u32, __u64, INTERFACES, MAPPED);
DECLARE(hp_port_of, BPF_MAP_TYPE_HASH, __u32, __u32, PORTS, 0);
/* The VSIs of a VLAN are a chain of nodes: its first node, and of each node bits 0 to 31 the next one, above them the VSI's slot. */
DECLARE(hp_members, BPF_MAP_TYPE_ARRAY, __u32, __u64, 4096, MAPPED);
DECLARE(hp_nodes, BPF_MAP_TYPE_ARRAY, __u32, __u64, NODES, MAPPED);
DECLARE(hp_slots, BPF_MAP_TYPE_ARRAY, __u32, struct slot, SLOTS, MAPPED);
DECLARE(hp_profiles, BPF_MAP_TYPE_ARRAY, __u32, struct profile, PROFILES, MAPPED);
DECLARE(hp_tenants, BPF_MAP_TYPE_ARRAY, __u32, struct tenant, TENANTS, MAPPED);
DECLARE(hp_tenant_buckets, BPF_MAP_TYPE_ARRAY, __u32, __u64, TENANTS * DIRECTIONS, MAPPED);
DECLARE(hp_port_tallies, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, struct port_tally, PORTS, 0);
DECLARE(hp_sources, BPF_MAP_TYPE_HASH, struct source_key, address_value, ADDRESSES * 2, 0);
DECLARE(hp_destinations, BPF_MAP_TYPE_HASH, struct destination_key, address_value, ADDRESSES, 0);
/* Most of what is in the two hashes is also here, at the place that its key gives: one look in place of a hash's several. */
DECLARE(hp_source_hints, BPF_MAP_TYPE_ARRAY, __u32, address_value, HINTS, MAPPED);
DECLARE(hp_destination_hints, BPF_MAP_TYPE_ARRAY, __u32, address_value, HINTS, MAPPED);
DECLARE(hp_ips, BPF_MAP_TYPE_HASH, struct ip_key, __u64, IPS, BPF_F_NO_PREALLOC);
/* The slot of the VSI that holds a link-local address, see link-local.h, and when and at which port a router outside said one. */
DECLARE(hp_claims, BPF_MAP_TYPE_LRU_HASH, struct claim, __u64, SLOTS * CLAIMS, 0);
DECLARE(hp_routers, BPF_MAP_TYPE_LRU_HASH, struct claim, seen_word, ROUTERS, 0);
DECLARE(hp_strangers, BPF_MAP_TYPE_LRU_HASH, struct source_key, struct stranger, 4096, 0);
DECLARE(hp_learned, BPF_MAP_TYPE_LRU_HASH, struct destination_key, seen_word, LEARNED, 0);
DECLARE(hp_records, BPF_MAP_TYPE_HASH, __u8[16], struct record, SLOTS, BPF_F_NO_PREALLOC);
DECLARE(hp_texts, BPF_MAP_TYPE_HASH, struct text_key, struct text, 65536, BPF_F_NO_PREALLOC);

#define DECLARE_RING(name, octets) \
	struct { \
		__uint(type, BPF_MAP_TYPE_RINGBUF); \
		__uint(max_entries, octets); \
		__uint(pinning, LIBBPF_PIN_BY_NAME); \
	} name SEC(".maps")

DECLARE_RING(hp_announcements, 65536);
DECLARE_RING(hp_drops, 65536);
