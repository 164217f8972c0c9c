// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What the data plane and its driver (src/relay/ebpf/) share: the maps. Little-endian machines only.
 *
 * The driver writes the arrays through mmap, so a 64-bit word changes in one store. It upholds:
 * - a slot, a profile or a port number is used again only after every program that may still see it has ended;
 * - an entry of `sources` or `destinations` is believed only when what it leads to agrees, because a deleted element of
 *   a preallocated hash may turn into another one under a reader's eyes.
 */
#pragma once
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

/* Changes with every change of a map's meaning; pins of another layout are refused. */
#define LAYOUT 1

#define PORTS 1024     /* number 0 names no port */
#define SLOTS 16384    /* slot 0 is no VSI */
#define PROFILES 2048  /* profile 0 is no profile */
#define ADDRESSES 32768

/* Both sides' order of RelayState's words. */
enum direction { FROM_VM, TO_VM, DIRECTIONS };
enum kind { NO_PORT, STATION, NETWORK, MIRROR };
enum reason {
	UNASSOCIATED, ARMED, MOVED, ACCESS_LIST, RATE, REFLECTIVE_RELAY_OFF, VLAN, UNKNOWN_DESTINATION, ERROR, REASONS
};

struct port {
	__u32 ifindex;
	__u8 kind;
	__u8 reflects;       /* reflective relay is on */
	__u8 shares;         /* one copy of a group frame serves all untagged VSIs */
	__u8 owns_qdisc;     /* for the driver: it made the clsact qdisc */
	__u32 native_vlan;   /* network ports; 0: none */
	__u32 next;          /* network ports: the next one; that of port 0 is the first */
	__u64 announced;     /* when the next announcement conforms, see rate.h */
	__u64 carries[64];   /* network ports: a bit per VLAN besides the native one */
	char name[16];
	char session[64];    /* mirror ports */
};

/*
 * A VSI in one word, which is what makes every change of it one store: bits 0 to 23 the active place, 24 to 47 the
 * armed place, 48 to 63 the profile. A place: bits 0 to 9 the port, 10 to 21 the wire VID, 22 and 23 its tally.
 * The word is 0 while the VSI is not there.
 */
typedef __u64 vsi_word;

struct rate {
	__u64 max;    /* bit/s, 0: no limit; for the driver */
	__u64 burst;  /* octets; for the driver */
	__u64 cost;   /* 1/16 ns per octet, times 2^20 */
	__u64 depth;  /* 1/16 ns */
};

struct profile {
	struct rate rate[DIRECTIONS];
	__u16 vlan;
	__u16 mirror[DIRECTIONS];  /* a port, 0: no copies */
	__u8 mirrors;              /* directions the administrator asked for, whether or not the session has a port */
	__u8 pad;
	__u32 access_list;         /* a list's number, see access-list.h */
	char session[64];
	__u32 pad2;
};

/* What a port or one VSI at one port has seen. */
struct tally {
	__u64 frames[DIRECTIONS];
	__u64 octets[DIRECTIONS];
	__u64 first, last;  /* ktime of the first and last frame accepted from the VM; 0: none */
	__u64 dropped[REASONS];
	__u64 pad;
};

struct port_tally {
	__u64 in, out;
	__u64 dropped[REASONS];
};

struct source_key {
	__u8 mac[6];
	__u16 vid;   /* on the wire */
	__u32 port;
};

struct destination_key {
	__u8 mac[6];
	__u16 vlan;
};

/* An entry's value repeats the address: bits 0 to 47; 48 to 61 the slot; 62 and 63 the tally of a source's place. */
typedef __u64 address_value;

struct stranger {
	__u64 frames, last;
};

struct announcement {
	__u64 at;
	__u32 port;
	__u16 vid;
	__u8 mac[6];
	__u8 reason;
	__u8 pad[7];
};

/* Of a VSI, what only the driver needs. */
struct record {
	__u32 slot;
	__u32 released;      /* a place, 0: none */
	__u16 address_count;
	__u16 label_length;
	__u8 addresses[64][6];
	__u8 label[256];
};

/* src/relay/ebpf/layout.ts counts on these. */
_Static_assert(sizeof(struct port) == 616 && __builtin_offsetof(struct port, carries) == 24, "port");
_Static_assert(sizeof(struct profile) == 144 && __builtin_offsetof(struct profile, session) == 76, "profile");
_Static_assert(sizeof(struct tally) == 128 && __builtin_offsetof(struct tally, dropped) == 48, "tally");
_Static_assert(sizeof(struct port_tally) == 88 && sizeof(struct record) == 652, "port_tally, record");
_Static_assert(sizeof(struct source_key) == 12 && sizeof(struct announcement) == 32, "source_key, announcement");

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

DECLARE(hp_layout, BPF_MAP_TYPE_ARRAY, __u32, __u64, 1, MAPPED);
DECLARE(hp_ports, BPF_MAP_TYPE_ARRAY, __u32, struct port, PORTS, MAPPED);
DECLARE(hp_port_of, BPF_MAP_TYPE_HASH, __u32, __u32, PORTS, 0);
DECLARE(hp_vsis, BPF_MAP_TYPE_ARRAY, __u32, vsi_word, SLOTS, MAPPED);
/* The VSIs of a VLAN are a chain: its first slot, and each slot's next one (0 ends it). */
DECLARE(hp_members, BPF_MAP_TYPE_ARRAY, __u32, __u64, 4096, MAPPED);
DECLARE(hp_next, BPF_MAP_TYPE_ARRAY, __u32, __u64, SLOTS, MAPPED);
DECLARE(hp_macs, BPF_MAP_TYPE_ARRAY, __u32, __u64, SLOTS, MAPPED);
DECLARE(hp_profiles, BPF_MAP_TYPE_ARRAY, __u32, struct profile, PROFILES, MAPPED);
DECLARE(hp_buckets, BPF_MAP_TYPE_ARRAY, __u32, __u64, SLOTS * DIRECTIONS, MAPPED);
DECLARE(hp_tallies, BPF_MAP_TYPE_ARRAY, __u32, struct tally, SLOTS * 4, MAPPED);
DECLARE(hp_port_tallies, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, struct port_tally, PORTS, 0);
DECLARE(hp_sources, BPF_MAP_TYPE_HASH, struct source_key, address_value, ADDRESSES * 2, 0);
DECLARE(hp_destinations, BPF_MAP_TYPE_HASH, struct destination_key, address_value, ADDRESSES, 0);
DECLARE(hp_strangers, BPF_MAP_TYPE_LRU_HASH, struct source_key, struct stranger, 4096, 0);
DECLARE(hp_records, BPF_MAP_TYPE_HASH, __u8[16], struct record, SLOTS, BPF_F_NO_PREALLOC);

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 65536);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} hp_announcements SEC(".maps");
