import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { Invalid } from '../../../src/base/invalid.ts';
import {
  isGroup,
  macFromBytes,
  macToBytes,
  parseMac,
  parseUnicastMac,
} from '../../../src/domain/mac-address.ts';
import { managerIdFromBytes, managerIdToBytes, parseManagerId } from '../../../src/domain/manager-id.ts';
import {
  parseProfileKey,
  parseTypeId,
  parseTypeVersion,
  profileKey,
} from '../../../src/domain/profile-ref.ts';
import { parseVid } from '../../../src/domain/vid.ts';
import { parseVsiId, vsiIdFromBytes, vsiIdToBytes } from '../../../src/domain/vsi-id.ts';

const refuses = (parse: () => unknown, message: RegExp) =>
  assert.throws(parse, (error: Error) => {
    assert(error instanceof Invalid, error.stack);
    assert.match(error.message, message);
    return true;
  });
const octets = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

describe('a MAC address', () => {
  it('is read with colons or hyphens, in either case, and written in one way', () => {
    assert.equal(parseMac('52:54:00:AB:cd:0A'), '52:54:00:ab:cd:0a');
    assert.equal(parseMac('52-54-00-ab-cd-0a'), '52:54:00:ab:cd:0a');
    for (const text of [
      '',
      '52:54:00:00:00',
      '52:54:00:00:00:00:00',
      '5254.00ab.cd0a',
      'g2:54:00:00:00:00',
      ' 52:54:00:00:00:0a',
      '52:54:00:00:00:0a\n',
    ])
      refuses(() => parseMac(text), /is not a MAC address like 52:54:00:00:00:0a/);
  });

  it('comes back from its octets, wherever they stand', () => {
    fc.assert(
      fc.property(octets(6), fc.nat(20), (bytes, offset) => {
        const frame = new Uint8Array(offset + 6);
        frame.set(bytes, offset);
        const mac = macFromBytes(frame, offset);
        assert.deepEqual(macToBytes(mac), bytes);
        assert.equal(parseMac(mac), mac);
        assert.equal(isGroup(mac), (bytes[0]! & 1) === 1);
      }),
    );
  });

  it("of a VM NIC is nobody else's, and not everybody's", () => {
    assert.equal(parseUnicastMac('52:54:00:00:00:0A'), '52:54:00:00:00:0a');
    refuses(() => parseUnicastMac('01:80:c2:00:00:0e'), /is a group address; a VM NIC needs a unicast one/);
    refuses(() => parseUnicastMac('ff:ff:ff:ff:ff:ff'), /is a group address/);
    refuses(() => parseUnicastMac('00:00:00:00:00:00'), /is the null address/);
  });
});

describe('a VLAN identifier', () => {
  it('is 1 to 4094', () => {
    for (const vid of [1, 2, 4094]) assert.equal(parseVid(vid), vid);
    for (const vid of [0, 4095, 4096, -1, 1.5, NaN, Infinity])
      refuses(() => parseVid(vid), /VLAN \S+ does not exist; a VLAN identifier is 1 to 4094/);
  });
});

describe('a VSIID', () => {
  it('is a UUID, with or without hyphens', () => {
    const canonical = 'fa9b7fff-b0a0-4893-8e0e-beef4ff18f8f';
    assert.equal(parseVsiId('FA9B7FFF-B0A0-4893-8E0E-BEEF4FF18F8F'), canonical);
    assert.equal(parseVsiId('fa9b7fffb0a048938e0ebeef4ff18f8f'), canonical);
    for (const text of [
      '',
      'vm1',
      canonical.slice(1),
      `${canonical}0`,
      `{${canonical}}`,
      canonical.replace('f', 'g'),
    ])
      refuses(() => parseVsiId(text), /is not a VSIID; a UUID like/);
  });

  it('comes back from its octets', () => {
    fc.assert(
      fc.property(octets(16), (bytes) => {
        const id = vsiIdFromBytes(bytes);
        assert.deepEqual(vsiIdToBytes(id), bytes);
        assert.equal(parseVsiId(id), id);
      }),
    );
  });
});

describe('a manager id', () => {
  it('is text where that is printable, else octets', () => {
    assert.equal(parseManagerId('dc1'), 'dc1');
    assert.equal(parseManagerId('0x0c'), '0x0c');
    assert.equal(parseManagerId('0x0C00'), '0x0c');
    assert.equal(parseManagerId('0x646331'), 'dc1');
    assert.equal(parseManagerId('0x00'), '0x00');
    assert.equal(parseManagerId('x'.repeat(16)), 'x'.repeat(16));
    for (const text of ['', 'x'.repeat(17), 'a b', 'a/b', 'ä', '0x', '0x0', '0xgg', `0x${'00'.repeat(17)}`])
      refuses(
        () => parseManagerId(text),
        /is not a manager id; 1 to 16 characters like "dc1" or octets like/,
      );
  });

  it('comes back from its 16 octets, and is the same from its text', () => {
    const anyOctets = fc.oneof(
      octets(16),
      fc
        .string({ maxLength: 16 })
        .map((text) => Uint8Array.from({ length: 16 }, (_, i) => text.charCodeAt(i) || 0)),
      fc
        .constantFrom('0x12', '0X12', '0x', '0xzz')
        .map((text) => Uint8Array.from({ length: 16 }, (_, i) => text.charCodeAt(i) || 0)),
    );
    fc.assert(
      fc.property(anyOctets, (bytes) => {
        const id = managerIdFromBytes(bytes);
        assert.deepEqual(managerIdToBytes(id), bytes);
        assert.equal(parseManagerId(id), id);
      }),
    );
  });
});

describe('a port profile reference', () => {
  it('is MANAGER/TYPE/VERSION', () => {
    assert.deepEqual(parseProfileKey('dc1/16777215/255'), {
      managerId: 'dc1',
      typeId: 0xffffff,
      typeVersion: 255,
    });
    for (const text of [
      '',
      'dc1',
      'dc1/1',
      '/1/1',
      'dc1/1/1/1',
      'dc1/-1/1',
      'dc1/1.5/1',
      'dc1/x/1',
      'dc1//1',
    ])
      refuses(
        () => parseProfileKey(text),
        /does not name a port profile; MANAGER\/TYPE\/VERSION like dc1\/17\/1/,
      );
    refuses(() => parseProfileKey('dc1/16777216/1'), /VSI type 16777216 does not fit; it is 0 to 16777215/);
    refuses(() => parseProfileKey('dc1/1/256'), /VSI type version 256 does not fit; it is 0 to 255/);
    refuses(() => parseProfileKey('a b/1/1'), /is not a manager id/);
    for (const value of [-1, 1.5, NaN]) {
      refuses(() => parseTypeId(value), /does not fit/);
      refuses(() => parseTypeVersion(value), /does not fit/);
    }
  });

  it('comes back from its key', () => {
    const reference = fc.record({
      managerId: octets(16).map(managerIdFromBytes),
      typeId: fc.integer({ min: 0, max: 0xffffff }),
      typeVersion: fc.integer({ min: 0, max: 255 }),
    });
    fc.assert(
      fc.property(reference, (ref) => {
        assert.deepEqual(parseProfileKey(profileKey(ref)), { ...ref });
      }),
    );
  });
});

describe('what parsers of the domain refuse', () => {
  it('they refuse as Invalid, in one line of what is right', () => {
    fc.assert(
      fc.property(fc.string(), fc.double(), (text, number) => {
        for (const parse of [parseMac, parseUnicastMac, parseVsiId, parseManagerId, parseProfileKey])
          throwsOnlyInvalid(() => parse(text));
        for (const parse of [parseVid, parseTypeId, parseTypeVersion]) throwsOnlyInvalid(() => parse(number));
      }),
    );
  });
});

function throwsOnlyInvalid(parse: () => unknown): void {
  try {
    parse();
  } catch (error) {
    assert(error instanceof Invalid, String(error));
  }
}
