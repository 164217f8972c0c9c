// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What the data plane and its driver (src/relay/ebpf/) share: what is in the maps (maps.h). Little-endian machines only.
 *
 * The driver writes the arrays through mmap, so a 64-bit word changes in one store. It upholds:
 * - a slot, a profile, a node, a tenant or a port number is used again only after every program that may still see it
 *   has ended;
 * - what leads to a VSI (`sources`, `destinations` and the hints before them) is believed only when the VSI agrees,
 *   because a deleted element of a preallocated hash may turn into another one under a reader's eyes.
 */
#pragma once
#include <linux/bpf.h>
#include <linux/types.h>

/* Changes with every change of a map's meaning; pins of another layout are refused. */
#define LAYOUT 4

#define PORTS 1024      /* number 0 names no port */
#define SLOTS 16384     /* slot 0 is no VSI */
#define PROFILES 2048   /* profile 0 is no profile */
#define NODES 65536     /* node 0 ends a chain */
#define TENANTS 4096    /* tenant 0 has no limits */
#define ADDRESSES 32768 /* addresses times VLANs */
#define HINTS 65536
#define INTERFACES 4096
#define LEARNED 16384
#define IPS 131072
#define CLAIMS 4        /* of a VSI; a power of two */
#define ROUTERS 1024

/* Both sides' order of RelayState's words. */
enum direction { FROM_VM, TO_VM, DIRECTIONS };
enum kind { NO_PORT, STATION, NETWORK, MIRROR };
enum storm { BROADCAST, MULTICAST, UNKNOWN_UNICAST, STORMS };
enum reason {
	UNASSOCIATED, ARMED, MOVED, ACCESS_LIST, RATE, REFLECTIVE_RELAY_OFF, VLAN, UNKNOWN_DESTINATION, ERROR,
	GUARD_CONTROL, GUARD_DHCP, GUARD_RA, GUARD_ADDRESS, STORM, TENANT_RATE, SAME_PORT, MTU, STANDBY, REASONS
};
#define REASON_WORDS 32 /* room for a counter of each; a power of two */

struct settings {
	__u64 layout;
	__u64 ageing;   /* of learned addresses, in ns */
	__u64 watched;  /* somebody wants samples of dropped frames */
	__u64 sampled;  /* when the next sample conforms, see rate.h */
};

struct port {
	__u32 ifindex;
	__u8 kind;
	__u8 reflects;       /* reflective relay is on */
	__u8 shares;         /* one copy of a group frame serves all untagged VSIs */
	__u8 owns_qdisc;     /* for the driver: it made the clsact qdisc */
	__u32 native_vlan;   /* network ports; 0: none */
	__u32 pad;
	__u64 announced;     /* when the bucket for announcements will be full, see rate.h */
	__u64 shaper;        /* bit/s; 0: none */
	__u32 peer;          /* copies are handed to the device's peer, not to the device */
	__u32 longest;       /* octets of a frame without its tag that the device takes, by its MTU; 0: not known */
	__u64 carries[64];   /* network ports: a bit per VLAN besides the native one */
	char name[16];
	char session[64];    /* mirror ports */
	__u64 host_mac;      /* network ports, in `host_vlan`: frames to it and to groups are the switch's own stack's */
	__u32 host_vlan;     /* 0: none */
	__u32 host_protocols; /* a bit for each kind of control frames that the stack gets, see relay.bpf.c */
};

/*
 * A VSI in one word, which is what makes every change of it one store: bits 0 to 23 the active place, 24 to 47 the
 * armed place, 48 to 63 the profile. A place: bits 0 to 9 the port, 10 to 21 the wire VID, 22 and 23 its tally.
 * The word is 0 while the VSI is not there.
 */
typedef __u64 vsi_word;

/* A token bucket's shape; no limit if the cost is 0. */
struct rate {
	__u64 cost;   /* 1/16 ns per octet (or frame), times 2^20 */
	__u64 depth;  /* 1/16 ns */
};

/* What a profile asks for in one direction. A profile that asks for nothing costs nothing. */
#define DOES_GUARD_CONTROL 1
#define DOES_GUARD_DHCP 2
#define DOES_GUARD_RA 4
#define DOES_GUARD_ADDRESS 8
#define DOES_LIST 16
#define DOES_STORM 32
#define DOES_RATE 64
#define DOES_TENANT_RATE 128
#define DOES_MARK 256
#define DOES_MIRROR 512

#define DOES_GUARD 15
#define DOES_JUDGE 255

#define TRUST 255

struct profile {
	__u32 does[DIRECTIONS];
	__u32 access_list;         /* numbers of lists, see access-list.h */
	__u32 mirror_filter;
	__u32 mirror_truncate;     /* octets; 0: all */
	__u32 mirror_sample;       /* one of so many */
	__u16 mirror_port;         /* 0: the session has none */
	__u16 vlan;
	__u16 tenant;
	__u16 trunks;              /* whether a bit of `trunk` is set */
	__u8 dscp, pcp;            /* or TRUST */
	__u8 default_pcp;
	__u8 pad[5];
	struct rate rate[DIRECTIONS];
	struct rate storm[STORMS];
	__u64 trunk[64];           /* a bit per VLAN */
	__u64 pad2;
};

/* A change of limits is written to those that are not current, which then become it by one store. */
struct tenant {
	__u64 current;
	struct {
		struct rate rate[DIRECTIONS];
	} limits[2];
};

/* What one VSI at one port has seen that was not dropped. */
struct tally {
	__u64 frames[DIRECTIONS];
	__u64 octets[DIRECTIONS];
	__u64 first, last;  /* ktime of the first and last frame accepted from the VM; 0: none */
	__u64 pad[2];
};

/* A port, bits 0 to 9, and above it a moment in 16 ns; 0: none. */
typedef __u64 seen_word;

/* All of a VSI that frames change or ask for: what every frame does in the first lines, because most of them are cold. */
struct slot {
	vsi_word word;
	__u64 mac;                  /* its own address for group frames */
	__u64 buckets[DIRECTIONS];  /* when they will be full, see rate.h */
	__u32 ip4, pad;             /* the first of its IP addresses of each family, in network order; 0: none */
	__u32 ip6[4];
	seen_word left;             /* the released place's port, and when the VSI ceased to be active there */
	struct tally tallies[4];
	__u64 storms[STORMS];
	__u64 mirrored[DIRECTIONS]; /* frames that were up for a copy to its mirror */
	__u64 announced;            /* as a port's, for where it is armed */
	__u64 pad3[2];
	__u64 dropped[4][REASON_WORDS];  /* by tally */
	/* link-local addresses that it speaks for, see link-local.h: a ring, and how many there were */
	struct claim {
		__u32 address[4];
		__u32 vlan;
	} claims[CLAIMS];
	__u64 claimed;
	__u64 pad4[5];
};

struct port_tally {
	__u64 in, out;
	__u64 dropped[REASON_WORDS];
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

/* One of a VSI's own IP addresses. */
struct ip_key {
	__u32 slot;
	__u32 family;        /* 4 or 6 */
	__u32 address[4];    /* network order; IPv4: the first only */
};

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

#define SAMPLE_OCTETS 128

struct drop_sample {
	__u64 at;
	__u32 port;
	__u32 octets;
	__u16 slot;    /* 0: nobody's */
	__u16 vid;     /* of the tag it came with */
	__u8 reason;
	__u8 length;
	__u8 pad[2];
	__u8 frame[SAMPLE_OCTETS];
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

/* What only the driver reads: texts of policies and tenants, in pieces. */
struct text_key {
	__u16 kind;
	__u16 number;
	__u32 piece;
};

struct text {
	__u32 length;        /* of this piece; one that is not full is the last */
	__u8 octets[508];
};

/* src/relay/ebpf/memory/layout.ts counts on these. */
_Static_assert(sizeof(struct port) == 648 && __builtin_offsetof(struct port, carries) == 40, "port");
_Static_assert(sizeof(struct profile) == 640 && __builtin_offsetof(struct profile, rate) == 40, "profile");
_Static_assert(sizeof(struct slot) == 1536 && __builtin_offsetof(struct slot, storms) == 320, "slot");
_Static_assert(sizeof(struct port_tally) == 272 && sizeof(struct record) == 652, "port_tally, record");
_Static_assert(sizeof(struct source_key) == 12 && sizeof(struct announcement) == 32, "source_key, announcement");
_Static_assert(sizeof(struct claim) == 20 && __builtin_offsetof(struct slot, claims) == 1408 && CLAIMS == 4, "claims");
_Static_assert(sizeof(struct ip_key) == 24 && sizeof(struct tenant) == 72, "ip_key, tenant");
_Static_assert(sizeof(struct drop_sample) == 152 && sizeof(struct text) == 512, "drop_sample, text");
