import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { z } from 'zod';
import {
  etherType,
  mac,
  name,
  ports,
  prefix,
  profile,
  protocol,
  title,
  vlan,
  vsiId,
} from '../../../src/forms/fields.ts';

const refuses = (schema: z.ZodType, value: unknown, message: RegExp) => {
  const { error } = schema.safeParse(value);
  assert(error, `${JSON.stringify(value)} was taken`);
  assert.match(error.issues[0]!.message, message);
};

describe('the forms people write', () => {
  it('prefixes, in canonical text', () => {
    for (const [text, address, length, canonical = text] of [
      ['10.0.0.0/8', '10.0.0.0', 8],
      ['0.0.0.0/0', '0.0.0.0', 0],
      ['192.0.2.1', '192.0.2.1', 32, '192.0.2.1/32'],
      ['192.0.2.129/25', '192.0.2.128', 25, null],
      ['2001:DB8:0::/32', '2001:db8::', 32, '2001:db8::/32'],
      ['::/0', '::', 0],
      ['fe80::1', 'fe80::1', 128, 'fe80::1/128'],
      ['2001:db8::8000/113', '2001:db8::8000', 113],
    ] as const) {
      if (canonical === null) {
        refuses(prefix, text, /has bits beyond its prefix; 192\.0\.2\.128\/25 would be right/);
        continue;
      }
      assert.deepEqual(prefix.parse(text), { address, length });
      assert.equal(z.encode(prefix, { address, length }), canonical);
    }
    for (const text of [
      '',
      '/',
      '10.0.0.0/',
      '10/8',
      '10.0.0.0/8/8',
      '010.0.0.1',
      '1.2.3',
      'fe80::1%eth0',
      '::/x',
      'x',
    ])
      refuses(prefix, text, /is not an IP prefix; 10\.0\.0\.0\/8 or 2001:db8::\/32 would be right/);
    refuses(prefix, '10.0.0.0/33', /has more bits than its address; at most \/32/);
    refuses(prefix, '::/129', /at most \/128/);
  });

  it('prefixes of any address and length come back', () => {
    const v4 = fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 }));
    const v6 = fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 }));
    fc.assert(
      fc.property(fc.oneof(v4, v6), ([address, length]) => {
        const parsed = prefix.safeParse(`${address}/${length}`);
        const text = parsed.success
          ? z.encode(prefix, parsed.data)
          : /; (\S+) would/.exec(parsed.error.issues[0]!.message)![1]!;
        const again = prefix.parse(text);
        assert.equal(again.length, length);
        assert.equal(z.encode(prefix, again), text);
      }),
    );
  });

  it('ports and ranges of them', () => {
    assert.deepEqual(ports.parse('80'), { from: 80, to: 80 });
    assert.deepEqual(ports.parse(80), { from: 80, to: 80 });
    assert.deepEqual(ports.parse('8000-8080'), { from: 8000, to: 8080 });
    assert.equal(z.encode(ports, { from: 0, to: 65535 }), '0-65535');
    assert.equal(z.encode(ports, { from: 80, to: 80 }), '80');
    for (const bad of ['', '80-', '-80', '90-80', '65536', 65536, -1, 1.5, 'http', '1-2-3'])
      refuses(ports, bad, /is not a port or a range of ports; 80 or 8000-8080 would be right/);
  });

  it('EtherTypes by name or number', () => {
    for (const [form, value, text] of [
      ['arp', 0x0806, 'arp'],
      ['IPv4', 0x0800, 'ipv4'],
      ['0x86DD', 0x86dd, 'ipv6'],
      ['0x88b7', 0x88b7, '0x88b7'],
      [0x8940, 0x8940, '0x8940'],
      [1536, 0x0600, '0x0600'],
    ] as const) {
      assert.equal(etherType.parse(form), value);
      assert.equal(z.encode(etherType, value), text);
    }
    for (const bad of ['', 'ip', 0x05ff, 0x10000, '0x05ff', '0x12345', 'constructor'])
      refuses(etherType, bad, /is not an EtherType; ipv4, arp, ipv6 or 0x0600 to 0xffff would be right/);
  });

  it('protocols by name or number', () => {
    assert.equal(protocol.parse('tcp'), 6);
    assert.equal(protocol.parse('17'), 17);
    assert.equal(protocol.parse(0), 0);
    assert.equal(z.encode(protocol, 1), 'icmp');
    assert.equal(z.encode(protocol, 200), 200);
    for (const bad of [256, -1, 'tcpp', ''])
      refuses(protocol, bad, /is not an IP protocol; icmp, .* or 0 to 255 would be right/);
  });

  it('the names of the domain, as it parses them', () => {
    assert.equal(mac.parse('52-54-00-AB-CD-EF'), '52:54:00:ab:cd:ef');
    assert.equal(vsiId.parse('FA9B7FFFB0A048938E0EBEEF4FF18F8F'), 'fa9b7fff-b0a0-4893-8e0e-beef4ff18f8f');
    assert.equal(profile.parse('0x6463/017/1'), 'dc/17/1');
    refuses(mac, '01:80:c2:00:00:00', /is a group address; a VM NIC needs a unicast one/);
    refuses(vlan, 4095, /VLAN 4095 does not exist; a VLAN identifier is 1 to 4094/);
    refuses(profile, 'dc1/17', /does not name a port profile; MANAGER\/TYPE\/VERSION like dc1\/17\/1 does/);
    refuses(name, '-x', /is not a name; up to 63 letters, digits/);
    refuses(name, 'x'.repeat(64), /is not a name/);
    refuses(title, 'a\u0000', /does not fit; 1 to 64 characters in one line do/);
  });
});
