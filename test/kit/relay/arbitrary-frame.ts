import * as fc from 'fast-check';
import {
  addresses4,
  addresses6,
  dscps,
  icmpTypes,
  igmpTypes,
  linkLocals,
  record,
  services,
} from './arbitrary-policy.ts';
import { arp, broadcast, discovery, ethernet, ipv4, ipv6, linkLocalOf, protocols, rarp } from './frames.ts';
import { macOf } from './states.ts';

/** a few addresses; those beyond 6 are nobody's */
const mac = fc.integer({ min: 1, max: 8 }).map(macOf);
const groups = [
  broadcast,
  '33:33:00:00:00:01',
  '01:00:5e:00:00:01',
  '01:80:c2:00:00:0e',
  '01:80:c2:00:00:10',
  '01:80:c2:00:00:21',
  '01:00:0c:cc:cc:cc',
  '01:00:0c:cc:cc:cd',
];

const segment = record({
  protocol: fc.constantFrom(1, 6, 6, 17, 17, 58, 132, 2, 50),
  sourcePort: fc.constantFrom(...services),
  destinationPort: fc.constantFrom(...services),
  flags: fc.constantFrom(0x02, 0x10, 0x12, 0x04),
  type: fc.constantFrom(...icmpTypes),
  offset: fc.constantFrom(0, 0, 0, 0, 1, 100),
  more: fc.constantFrom(false, false, true),
  dscp: fc.constantFrom(...dscps),
  ecn: fc.constantFrom(0, 0, 1, 3),
  length: fc.constantFrom(0, 2, 4, 8, 13, 14, 20, 24),
});
const ip4 = fc.constantFrom(...addresses4, '0.0.0.0');
const ip6 = fc.constantFrom(...addresses6, ...linkLocals, '::', linkLocalOf(macOf(1)), linkLocalOf(macOf(2)));
const extensions = fc.array(fc.constantFrom(0, 43, 44, 51, 60), { maxLength: 7 });
/** of the link layer's length and of the packet's own: what there is, or not */
const wrong = fc.constantFrom(undefined, undefined, undefined, 0, 10, 20, 24, 28, 41, 60, 1500);
const target6 = fc.option(ip6, { freq: 5 });

type Body = readonly [etherType: number, payload: Uint8Array];

const ip: fc.Arbitrary<Body> = fc.oneof(
  fc
    .tuple(ip4, ip4, segment, wrong, fc.constantFrom(0, 0, 0, 1, 2, 7))
    .map(([from, to, it, total, authenticated]): Body => [
      0x0800,
      ipv4(from, to, { ...it, ...(total !== undefined && { total }) }, authenticated),
    ]),
  fc
    .tuple(ip4, fc.constantFrom(...igmpTypes))
    .map(([from, type]): Body => [0x0800, ipv4(from, '224.0.0.22', { protocol: protocols.igmp, type })]),
  fc
    .tuple(ip6, ip6, segment, extensions, wrong)
    .map(([from, to, it, chain, payload]): Body => [
      0x86dd,
      ipv6(from, to, { ...it, ...(payload !== undefined && { payload }) }, chain),
    ]),
  fc
    .tuple(
      ip6,
      fc.constantFrom(...icmpTypes),
      target6,
      fc.array(fc.constantFrom(0, 44, 60), { maxLength: 2 }),
    )
    .map(([from, type, target, chain]): Body => [
      0x86dd,
      discovery(from, type, target, { extensions: chain }),
    ]),
  fc
    .tuple(ip4, fc.constantFrom(67, 68, 1067), fc.constantFrom(67, 68))
    .map(([from, sourcePort, destinationPort]): Body => [
      0x0800,
      ipv4(from, '255.255.255.255', { protocol: protocols.udp, sourcePort, destinationPort }),
    ]),
);

/** Cut short somewhere, or with an octet that is another. */
const damaged: fc.Arbitrary<Body> = fc
  .tuple(ip, fc.nat(60), fc.nat(59), fc.option(fc.nat(255)))
  .map(([[etherType, payload], length, at, octet]) => {
    const body = payload.slice(0, length);
    if (octet !== null && at < body.length) body[at] = octet;
    return [etherType, body];
  });

const linkProtocols: fc.Arbitrary<Body> = fc.oneof(
  fc
    .constantFrom(0x88cc, 0x8940, 0x88b7, 0x8809, 0x8808, 0x88f5, 0x88f6, 0x8902, 0x888e, 0x8035, 0x88a8)
    .map((etherType): Body => [etherType, new Uint8Array(20)]),
  fc
    .constantFrom(
      [0x42, 0x42, 3],
      [0x42, 0x43, 3],
      [0xaa, 0xaa, 3, 0, 0, 12, 0x20, 0],
      [0xaa, 0xaa, 3, 0, 0, 13, 0x20, 0],
      [0xaa],
    )
    .map((octets): Body => [38, Uint8Array.from(octets)]),
  fc.tuple(fc.constantFrom(0x0800, 0x0806, 0x86dd, 0x88b5), fc.uint8Array({ maxLength: 60 })),
);

/** In LLC and SNAP, with a length that may be wrong. */
const snap: fc.Arbitrary<Body> = fc
  .tuple(
    fc.oneof(
      { arbitrary: ip, weight: 3 },
      {
        arbitrary: fc
          .constantFrom(0x0806, 0x8035, 0x88cc, 0x8100, 0x9100, 0x88b5, 0x26)
          .map((etherType): Body => [etherType, new Uint8Array(28)]),
        weight: 1,
      },
    ),
    fc.constantFrom([0xaa, 0xaa, 3], [0xaa, 0xaa, 3], [0xab, 0xaa, 0], [0xab, 0x42, 3], [0x42, 0xaa, 3]),
    fc.constantFrom([0, 0, 0], [0, 0, 0], [0, 0, 0xf8], [0, 0, 0x0c], [0, 0x80, 0xc2]),
    wrong,
  )
  .map(([[etherType, payload], llc, oui, length]): Body => {
    const body = Uint8Array.from([...llc, ...oui, etherType >> 8, etherType & 0xff, ...payload]);
    return [length ?? body.length, body];
  });

/** Tags: none, a priority's, and those of the VIDs in use. */
const tci = fc.constantFrom(undefined, undefined, undefined, 0xa000, 0x1000, 7, 0x600a, 20, 0xf01e, 4095);

/** a frame with a second tag, or a provider's, now and then */
const tagged = (body: fc.Arbitrary<Body>): fc.Arbitrary<Body> =>
  fc.tuple(body, fc.nat(60)).map(([it, n]): Body => {
    const tag = [0x8100, 0x88a8, 0x9100, 0x9200][n];
    if (tag === undefined) return it;
    return [tag, Uint8Array.from([0, 20, it[0] >> 8, it[0] & 0xff, ...it[1]])];
  });

const addressed = fc
  .tuple(
    fc.oneof({ arbitrary: mac, weight: 3 }, { arbitrary: fc.constantFrom(...groups), weight: 1 }),
    fc.oneof({ arbitrary: mac, weight: 30 }, { arbitrary: fc.constant(broadcast), weight: 1 }),
    tagged(
      fc.oneof(
        { arbitrary: ip, weight: 6 },
        { arbitrary: damaged, weight: 2 },
        { arbitrary: linkProtocols, weight: 2 },
        { arbitrary: snap, weight: 1 },
      ),
    ),
    tci,
  )
  .map(([to, from, [etherType, body], tag]) => shortened(ethernet(to, from, etherType, body, tag), body));

/** Without the padding to 60 octets where that would hide that something is missing; a kernel takes no tag off fewer than 20. */
function shortened(frame: Uint8Array, body: Uint8Array): Uint8Array {
  const header = frame[12] === 0x81 && frame[13] === 0 ? 18 : 14;
  return body.length % 2 ? frame.subarray(0, Math.max(header + body.length, 20)) : frame;
}

const resolution = fc
  .tuple(mac, ip4, ip4, fc.constantFrom(1, 2), fc.option(mac, { freq: 3 }), tci)
  .map(([source, sender, target, operation, hardware, tag]) => {
    const frame = arp(source, sender, target, { operation, ...(hardware && { hardware }) });
    return ethernet(broadcast, source, 0x0806, frame.subarray(14), tag);
  });

/** A frame that means something, more often than not, in a state of `arbitrary.ts`. */
export const anyFrame: fc.Arbitrary<Uint8Array> = fc.oneof(
  { arbitrary: addressed, weight: 8 },
  { arbitrary: resolution, weight: 1 },
  { arbitrary: mac.map(rarp), weight: 1 },
);
