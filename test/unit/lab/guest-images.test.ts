import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { unpackKernel } from '../../../src/lab/guest/bz-image.ts';
import { unpackLz4Legacy } from '../../../src/lab/guest/lz4.ts';
import { newcArchive } from '../../../src/lab/guest/newc.ts';

function octets(...parts: (string | number[])[]): Uint8Array {
  return Buffer.concat(parts.map((part) => Buffer.from(part as string)));
}

function block(packed: Uint8Array): Uint8Array {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(packed.length);
  return Buffer.concat([length, packed]);
}

const magic = Uint8Array.of(0x02, 0x21, 0x4c, 0x18);

// printf 'hairpin hairpin hairpin hairpin!%.0s' 1 2 3 | lz4 -l -c | xxd -p   (lz4 1.9.4)
const packedByLz4 = '02214c181e0000008f6861697270696e200800041f211800040430000f200009507270696e21';

describe('LZ4', () => {
  it('unpacks what lz4 has packed', () => {
    assert.equal(
      Buffer.from(unpackLz4Legacy(Buffer.from(packedByLz4, 'hex'))).toString(),
      'hairpin hairpin hairpin hairpin!'.repeat(3),
    );
  });

  it('copies literals, long lengths and overlapping matches', () => {
    // "abc", then 4 + 15 + 10 octets from 3 back, then "!"
    const sequences = octets([0x3f], 'abc', [3, 0, 10], [0x10], '!');
    const text = Buffer.from(unpackLz4Legacy(Buffer.concat([magic, block(sequences), block(sequences)])));
    assert.equal(text.toString(), `${'abc'.repeat(11).slice(0, 32)}!`.repeat(2));
  });

  it('refuses what is none, in words', () => {
    assert.throws(() => unpackLz4Legacy(octets('not LZ4')), /not an LZ4 legacy stream/);
    const twoBack = block(octets([0x10], 'a', [2, 0]));
    assert.throws(() => unpackLz4Legacy(Buffer.concat([magic, twoBack])), /points nowhere/);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          unpackLz4Legacy(Buffer.concat([magic, block(bytes)]));
        } catch (error) {
          assert.ok(error instanceof RangeError);
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe('a bzImage', () => {
  it('has its kernel where the boot protocol says', () => {
    const payload = Buffer.concat([magic, block(octets([0x40], 'vmli')), octets([4, 0, 0, 0])]);
    const image = Buffer.alloc(3 * 512 + 100 + payload.length);
    image.writeUInt8(2, 0x1f1);
    image.writeUInt32LE(100, 0x248);
    image.writeUInt32LE(payload.length, 0x24c);
    payload.copy(image, 3 * 512 + 100);
    assert.equal(Buffer.from(unpackKernel(image)).toString(), 'vmli');
  });
});

describe('a newc archive', () => {
  it('has these octets', () => {
    const archive = newcArchive([
      { kind: 'directory', path: 'bin' },
      { kind: 'file', path: 'bin/a', content: Buffer.from('hello'), executable: true },
    ]);
    const record = (inode: number, mode: string, size: number, name: string, rest: string) =>
      `070701${hex(inode)}${mode}${hex(0)}${hex(0)}${hex(1)}${hex(0)}${hex(size)}${hex(0).repeat(4)}${hex(name.length + 1)}${hex(0)}${name}${rest}`;
    assert.equal(
      Buffer.from(archive).toString('latin1'),
      record(1, '000041ed', 0, 'bin', '\0\0\0') +
        record(2, '000081ed', 5, 'bin/a', '\0hello\0\0\0') +
        record(0, '00000000', 0, 'TRAILER!!!', '\0\0\0\0'),
    );
  });
});

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}
