/** By the IEEE's registry of EtherTypes. */
export const etherTypes = {
  ipv4: 0x0800,
  arp: 0x0806,
  rarp: 0x8035,
  customerTag: 0x8100,
  ipv6: 0x86dd,
  serviceTag: 0x88a8,
  /** IEEE 802.3, annex 31B */
  pause: 0x8808,
  /** IEEE 802.3, annex 57A; LACP is one of them */
  slowProtocols: 0x8809,
  eapol: 0x888e,
  /** of 802.1Qbg draft 0.2 */
  draftEcp: 0x88b7,
  lldp: 0x88cc,
  mvrp: 0x88f5,
  mmrp: 0x88f6,
  cfm: 0x8902,
  ecp: 0x8940,
} as const;

/** By IANA's registry of protocol numbers. */
export const ipProtocols = {
  icmp: 1,
  igmp: 2,
  tcp: 6,
  udp: 17,
  gre: 47,
  esp: 50,
  icmpv6: 58,
  ospf: 89,
  sctp: 132,
} as const;

const { tcp, udp, sctp, icmp, icmpv6 } = ipProtocols;

/** IP protocols whose headers begin with a source and a destination port. */
export const withPorts: readonly unknown[] = [tcp, udp, sctp];

/** IP protocols whose headers begin with an ICMP type. */
export const withIcmpType: readonly unknown[] = [icmp, icmpv6];
