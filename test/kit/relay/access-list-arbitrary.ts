import * as fc from 'fast-check';
import type { AccessList, AccessRule, IpPrefix } from '../../../src/domain/port-profile.ts';
import type { MacAddress } from '../../../src/domain/mac-address.ts';
import type { Vid } from '../../../src/domain/vid.ts';
import { ethernet, ipv4, ipv6 } from './frames.ts';

const macs = ['02:00:00:00:00:01', '02:00:00:00:00:02', '02:00:00:00:01:02', 'ff:ff:ff:ff:ff:ff'];
const masks = [
  'ff:ff:ff:ff:ff:ff',
  'ff:ff:ff:00:00:00',
  '01:00:00:00:00:00',
  '00:00:00:00:01:03',
  '00:00:00:00:00:00',
];
const addresses4 = ['0.0.0.0', '10.0.0.1', '10.0.0.2', '10.0.1.1', '192.168.7.9', '255.255.255.255'];
const addresses6 = [
  '::',
  '2001:db8::1',
  '2001:db8::2',
  '2001:db8:0:1::1',
  'fe80::1',
  'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
];
const ports = [0, 53, 54, 80, 1000, 65_535];
const protocols = [0, 1, 6, 17, 58, 132, 255];
const vlans = [10, 20];

function perhaps<K extends string, T>(key: K, value: fc.Arbitrary<T>): fc.Arbitrary<{ [P in K]?: T }> {
  return fc.option(value, { freq: 2 }).map((it) => (it === null ? {} : { [key]: it }) as { [P in K]?: T });
}

export const anyPrefix: fc.Arbitrary<IpPrefix> = fc.oneof(
  fc.record({
    address: fc.constantFrom(...addresses4),
    length: fc.oneof(fc.constantFrom(24, 31, 32), fc.integer({ min: 0, max: 32 })),
  }),
  fc.record({
    address: fc.constantFrom(...addresses6),
    length: fc.oneof(fc.constantFrom(64, 127, 128), fc.integer({ min: 0, max: 128 })),
  }),
);
const range = fc
  .tuple(fc.constantFrom(...ports), fc.constantFrom(...ports))
  .map(([x, y]) => ({ from: Math.min(x, y), to: Math.max(x, y) }));
const macMatch = fc.record({
  address: fc.constantFrom(...macs).map((mac) => mac as MacAddress),
  mask: fc.constantFrom(...masks).map((mac) => mac as MacAddress),
});
const setNames = ['servers', 'printers'];
const addressMatch = fc.oneof(
  { arbitrary: anyPrefix, weight: 3 },
  { arbitrary: fc.constantFrom(...setNames).map((set) => ({ set })), weight: 1 },
);

/** What goes with a protocol of ports, of TCP flags, of types, and with none. */
const upper = fc.oneof(
  fc.constant({}),
  fc.constantFrom(...protocols).map((protocol) => ({ protocol })),
  fc
    .tuple(
      fc.constantFrom(6, 17, 132).map((protocol) => ({ protocol })),
      perhaps('sourcePorts', range),
      perhaps('destinationPorts', range),
    )
    .map((parts) => Object.assign({}, ...parts) as Partial<AccessRule>),
  perhaps('sourcePorts', range).map((it) => ({ protocol: 6, tcpEstablished: true as const, ...it })),
  fc
    .tuple(fc.constantFrom(1, 58), fc.constantFrom(0, 8, 128, 134))
    .map(([protocol, icmpType]) => ({ protocol, icmpType })),
);

export const anyRule: fc.Arbitrary<AccessRule> = fc
  .tuple(
    fc.record({
      action: fc.constantFrom('allow' as const, 'deny' as const),
      direction: fc.constantFrom('from-vm' as const, 'to-vm' as const, 'both' as const),
    }),
    perhaps('sourceMac', macMatch),
    perhaps('destinationMac', macMatch),
    fc.oneof(
      perhaps('etherType', fc.constantFrom(0x0800, 0x86dd, 0x0806)),
      perhaps(
        'vlan',
        fc.constantFrom(...vlans).map((vlan) => vlan as Vid),
      ),
      perhaps('dscp', fc.constantFrom(0, 46, 63)),
      perhaps('fragment', fc.boolean()),
    ),
    perhaps('source', addressMatch),
    perhaps('destination', addressMatch),
    upper,
  )
  .map((parts) => Object.assign({}, ...parts) as AccessRule);

export function listOf(rules: fc.Arbitrary<AccessRule[]>): fc.Arbitrary<AccessList> {
  const prefixes = fc.array(anyPrefix, { minLength: 1, maxLength: 5 });
  return fc.record({
    rules,
    otherwise: fc.constantFrom('allow' as const, 'deny' as const),
    sets: fc.tuple(prefixes, prefixes).map(([one, two]) => ({ servers: one, printers: two })),
  });
}

const octet = fc.integer({ min: 0, max: 255 });
const segment = fc.record({
  protocol: fc.constantFrom(...protocols),
  sourcePort: fc.constantFrom(...ports),
  destinationPort: fc.constantFrom(...ports),
  offset: fc.constantFrom(0, 0, 0, 1, 100),
  length: fc.constantFrom(0, 1, 3, 4, 13, 14, 20),
});

/** Sets what the builders of frames leave zero: the DSCP, TCP's flags, "more fragments", the first octet of a segment. */
const touched = (packet: Uint8Array, at: number, dscp: number, flags: number, more: boolean): Uint8Array => {
  const isIpv4 = packet[0]! >> 4 === 4;
  if (isIpv4) packet[1] = dscp << 2;
  else {
    packet[0] = 0x60 | (dscp >> 2);
    packet[1] = (dscp & 3) << 6;
  }
  if (isIpv4 && more) packet[6]! |= 0x20;
  if (at + 13 < packet.length) packet[at + 13] = flags;
  return packet;
};

const packet = fc
  .tuple(
    fc.constantFrom(0, 46, 63),
    fc.constantFrom(0, 2, 0x10, 0x04),
    fc.boolean(),
    segment,
    fc.oneof(
      fc.tuple(fc.constantFrom(...addresses4), fc.constantFrom(...addresses4), fc.constant([])),
      fc.tuple(
        fc.constantFrom(...addresses6),
        fc.constantFrom(...addresses6),
        fc.array(fc.constantFrom(0, 43, 44, 60), { maxLength: 7 }),
      ),
    ),
    fc.option(fc.constantFrom(0, 8, 128, 134)),
  )
  .map(([dscp, flags, more, it, [from, to, extensions], type]) => {
    const upper = type === null ? it : { ...it, sourcePort: type << 8 };
    if (!from.includes(':')) return [0x0800, touched(ipv4(from, to, upper), 20, dscp, flags, more)] as const;
    const at = 40 + 8 * extensions.length;
    return [0x86dd, touched(ipv6(from, to, upper, extensions), at, dscp, flags, more)] as const;
  });

/** A frame that is cut off at its end, as none that short is on a wire, but some may be in a kernel. */
export const anyFrame: fc.Arbitrary<Uint8Array> = fc
  .tuple(
    fc.constantFrom(...macs),
    fc.constantFrom(...macs),
    fc.oneof(
      { arbitrary: packet, weight: 6 },
      {
        arbitrary: fc.tuple(fc.constantFrom(0x0800, 0x86dd, 0x0806), fc.array(octet, { maxLength: 50 })),
        weight: 1,
      },
    ),
  )
  .map(([to, from, [etherType, payload]]) => {
    const octets = Uint8Array.from(payload);
    return ethernet(to, from, etherType, octets).slice(0, 14 + octets.length);
  });

export const anyVlan = fc.constantFrom(...vlans);
