import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { filterFormats, type FilterEntry, type FilterFormat } from '../../../src/domain/filter-info.ts';
import { macFromBytes } from '../../../src/domain/mac-address.ts';
import { managerIdFromBytes } from '../../../src/domain/manager-id.ts';
import { nullVid, parseVid } from '../../../src/domain/vid.ts';
import { vsiIdFromBytes } from '../../../src/domain/vsi-id.ts';
import { decodeEcpdu, encodeEcpdu } from '../../../src/protocol/ecp/ratified.ts';
import { controlEtherTypes, decodeFrame, encodeFrame } from '../../../src/protocol/ethernet.ts';
import { decodeEvbTlv, encodeEvbTlv } from '../../../src/protocol/evb/ratified.ts';
import { decodeLldpdu, encodeLldpdu, type LldpTlv } from '../../../src/protocol/lldp/packet.ts';
import type { Result } from '../../../src/base/result.ts';
import { vdpErrorCodes, vdpModes, type VdpErrorCode } from '../../../src/protocol/vdp/association.ts';
import { decodeVdpdu, encodeVdpdu, mostEntries } from '../../../src/protocol/vdp/ratified.ts';
import type { VdpTlv } from '../../../src/protocol/vdp/tlv.ts';

const octets = (minLength: number, maxLength = minLength) => fc.uint8Array({ minLength, maxLength });
const integer = (max: number) => fc.integer({ min: 0, max });
const mac = octets(6).map((o) => macFromBytes(o));
const vid = fc.oneof(fc.constant(nullVid), fc.integer({ min: 1, max: 4094 }).map(parseVid));

/** As `fc.record`, of objects as anybody writes them. */
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record<T>(model, { noNullPrototype: true });

const filter = fc.constantFrom<FilterFormat[]>(...Object.values(filterFormats)).chain((format) => {
  const named = record<FilterEntry>({
    vid,
    ...(format.includes('mac') && { mac }),
    ...(format.startsWith('group') && { group: integer(0xffffffff) }),
  });
  const entry = fc.tuple(named, fc.option(integer(7))).map(([e, pcp]) => (pcp === null ? e : { ...e, pcp }));
  return fc
    .array(entry, { minLength: 1, maxLength: mostEntries(format) })
    .map((entries) => ({ format, entries }));
});

const code = fc.constantFrom<VdpErrorCode[]>(
  ...vdpErrorCodes.filter((code): code is VdpErrorCode => code !== 'success'),
);
const vdpdu = octets(16)
  .map((o) => managerIdFromBytes(o))
  .chain((managerId) => {
    const subject = {
      mode: fc.constantFrom(...vdpModes),
      vsiId: octets(16).map((o) => vsiIdFromBytes(o)),
      profile: record({
        managerId: fc.constant(managerId),
        typeId: integer(0xffffff),
        typeVersion: integer(255),
      }),
      filter,
    };
    const tlv: fc.Arbitrary<VdpTlv> = fc.oneof(
      record({
        kind: fc.constant('request' as const),
        ...subject,
        hints: record({ migrating: fc.boolean(), suspended: fc.boolean() }),
      }),
      record({
        kind: fc.constant('answer' as const),
        ...subject,
        refusal: fc.option(record({ code, keep: fc.boolean(), hard: fc.boolean() })),
      }),
      record({
        kind: fc.constant('other' as const),
        type: fc.integer({ min: 6, max: 127 }),
        info: octets(0, 511),
      }),
    );
    return record({ managerId: fc.constant(managerId), tlvs: fc.array(tlv, { maxLength: 4 }) });
  });

function survives<T>(
  arbitrary: fc.Arbitrary<T>,
  encode: (value: T) => Uint8Array,
  decode: (o: Uint8Array) => Result<T>,
) {
  fc.assert(
    fc.property(arbitrary, (value) => {
      const decoded = decode(encode(value));
      assert.ok(decoded.ok, decoded.ok ? '' : decoded.error.message);
      assert.deepEqual(decoded.value, value);
    }),
    { numRuns: 300 },
  );
}

test('a VDPDU survives encoding', () => survives(vdpdu, encodeVdpdu, decodeVdpdu));

test('an ECPDU survives encoding', () =>
  survives(
    record({
      operation: fc.constantFrom('request' as const, 'acknowledgement' as const),
      subtype: integer(0x3ff),
      sequence: integer(0xffff),
      payload: octets(0, 1496),
    }),
    encodeEcpdu,
    decodeEcpdu,
  ));

test('an EVB TLV survives encoding, and has nine octets', () => {
  const exponent = integer(31);
  survives(
    record({
      mode: fc.constantFrom('bridge' as const, 'station' as const),
      bridge: record({ bgid: fc.boolean(), rrcap: fc.boolean(), rrctr: fc.boolean() }),
      station: record({ sgid: fc.boolean(), rrreq: fc.boolean(), rrstat: integer(3) }),
      retries: integer(7),
      rte: exponent,
      rwd: exponent,
      rwdRemote: fc.boolean(),
      rka: exponent,
      rkaRemote: fc.boolean(),
    }),
    (tlv) => {
      const info = encodeEvbTlv(tlv);
      assert.equal(info.length + 4, 9);
      return info;
    },
    decodeEvbTlv,
  );
});

test('an EVB TLV of any other length is refused', () => {
  for (const length of [0, 4, 6, 9, 20, 64, 507])
    assert.ok(!decodeEvbTlv(new Uint8Array(length).fill(0x45)).ok);
});

test('an LLDPDU survives encoding, with TLVs nobody knows', () => {
  const identifier = record({ subtype: integer(255), id: octets(1, 255) });
  // A byte order mark is not text that a decoder keeps.
  const text = fc
    .string({ maxLength: 60, unit: 'grapheme' })
    .filter((t) => new TextEncoder().encode(t).length <= 255 && !t.startsWith('\ufeff'));
  const tlv: fc.Arbitrary<LldpTlv> = fc.oneof(
    record({
      kind: fc.constantFrom(
        'port description' as const,
        'system name' as const,
        'system description' as const,
      ),
      text,
    }),
    record({
      kind: fc.constant('organizational' as const),
      oui: integer(0xffffff),
      subtype: integer(255),
      info: octets(0, 507),
    }),
    record({
      kind: fc.constant('system capabilities' as const),
      system: integer(0xffff),
      enabled: integer(0xffff),
    }),
    record({
      kind: fc.constant('management address' as const),
      subtype: integer(255),
      address: octets(1, 31),
      interfaceSubtype: integer(255),
      interfaceNumber: integer(0xffffffff),
      objectId: octets(0, 128),
    }),
    record({
      kind: fc.constant('other' as const),
      type: fc.integer({ min: 9, max: 126 }),
      info: octets(0, 511),
    }),
  );
  survives(
    record({
      chassisId: identifier,
      portId: identifier,
      ttl: integer(0xffff),
      tlvs: fc.array(tlv, { maxLength: 8 }),
    }),
    encodeLldpdu,
    decodeLldpdu,
  );
});

test('a frame survives encoding, but for padding', () => {
  fc.assert(
    fc.property(
      mac,
      mac,
      fc.integer({ min: 0x600, max: 0xffff }),
      octets(0, 1500),
      (destination, source, etherType, payload) => {
        const frame = encodeFrame({ destination, source, etherType, payload });
        assert.ok(frame.length >= 60);
        const decoded = decodeFrame(frame);
        assert.ok(decoded.ok);
        assert.deepEqual(
          { ...decoded.value, payload: decoded.value.payload.subarray(0, payload.length) },
          { destination, source, etherType, payload },
        );
      },
    ),
  );
});

test('no decoder throws on octets of any kind', () => {
  fc.assert(
    fc.property(octets(0, 1600), (bytes) => {
      for (const decode of [decodeFrame, decodeLldpdu, decodeEvbTlv, decodeEcpdu, decodeVdpdu])
        assert.equal(typeof decode(bytes).ok, 'boolean');
    }),
    { numRuns: 1_000 },
  );
});

test('errors name the unit and say what was expected', () => {
  const message = (result: Result<unknown>) =>
    result.ok ? '' : `${result.error.unit}: ${result.error.message}`;
  assert.equal(message(decodeFrame(new Uint8Array(10))), 'frame: 10 octets; a control frame has 14 to 1514');
  assert.equal(message(decodeEcpdu(Uint8Array.of(0x20, 1, 0, 1))), 'ECPDU: version 2; only 1 is known');
  assert.equal(
    message(decodeVdpdu(Uint8Array.of(0x06, 0x01, 0))),
    'VDPDU: does not begin with a manager id TLV of 16 octets',
  );
  assert.equal(
    message(decodeVdpdu(Uint8Array.of(0x0a, 0x10, 0))),
    'VDPDU: type 5 claims 16 octets, 1 are left',
  );
});

test('lldpad with 61 filter entries, whose TLV length wraps to 1, is malformed and nothing worse', () => {
  const managerIdTlv = [0x0a, 0x10, ...new Uint8Array(16).fill(0x61)];
  const bytes = Uint8Array.from([...managerIdTlv, 0x06, 0x01, 0x00, ...new Uint8Array(600).fill(0x52)]);
  assert.deepEqual(decodeVdpdu(bytes), {
    ok: false,
    error: { unit: 'VDPDU', message: 'type 41 claims 82 octets, 10 are left' },
  });
});

test('sockets of agents hear LLDP and ECP of both dialects, and nothing that VMs speak', () => {
  assert.deepEqual(controlEtherTypes, [0x88cc, 0x8940, 0x88b7]);
});
