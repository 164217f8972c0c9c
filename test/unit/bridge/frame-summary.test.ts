import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { frameSummary } from '../../../src/bridge/control/frame-summary.ts';

const addresses = '52540000000b 52540000000a';
const v4 = (protocol: string, fragment = '0000') =>
  `0800 4500 0028 0000 ${fragment} 40${protocol} 0000 0a4d010b 0a4d010c`;
const v6 = (next: string) =>
  `86dd 60000000 0000 ${next} ff fe800000000000005054 00fffe00000a ff020000000000000000000000000001`;

const summaries: readonly [octets: string, summary: string][] = [
  [`${v4('06')} 1388 0017 00000000 00000000 5002`, 'tcp 10.77.1.11:5000 > 10.77.1.12:23 SYN'],
  [`${v4('06')} 1388 0017 00000000 00000000 5012`, 'tcp 10.77.1.11:5000 > 10.77.1.12:23 SYN ACK'],
  [`${v4('11')} 0043 0044`, 'udp 10.77.1.11:67 > 10.77.1.12:68'],
  [`${v4('11')} 0043`, 'udp 10.77.1.11 > 10.77.1.12, cut short'],
  [`${v4('11', '00b9')} 0043 0044`, 'udp 10.77.1.11 > 10.77.1.12, a fragment from octet 1480'],
  [`${v4('01')} 0800`, 'icmp 10.77.1.11 > 10.77.1.12 echo request'],
  [`${v4('01')} 0d00`, 'icmp 10.77.1.11 > 10.77.1.12 type 13'],
  [v4('01'), 'icmp 10.77.1.11 > 10.77.1.12'],
  [v4('59'), 'ospf 10.77.1.11 > 10.77.1.12'],
  [v4('c8'), 'ip protocol 200 10.77.1.11 > 10.77.1.12'],
  ['0800 4500', 'ipv4 cut short'],
  [`${v6('3a')} 86`, 'icmpv6 [fe80::5054:ff:fe00:a] > [ff02::1] router advertisement'],
  [`${v6('00')} 3a00 0502 0000 0100 87`, 'icmpv6 [fe80::5054:ff:fe00:a] > [ff02::1] neighbour solicitation'],
  [`${v6('2c')} 1100 05a9 00000001`, 'udp [fe80::5054:ff:fe00:a] > [ff02::1], a fragment from octet 1448'],
  ['86dd 6000', 'ipv6 cut short'],
  [
    '0806 0001 0800 0604 0001 52540000000a 0a4d010b 000000000000 0a4d010c',
    'arp who has 10.77.1.12? tell 10.77.1.11',
  ],
  ['0806 0001 0800 0604 0001 52540000000a 0a4d010b 000000000000 0a4d010b', 'arp announces 10.77.1.11'],
  [
    '0806 0001 0800 0604 0002 52540000000a 0a4d010b 52540000000b 0a4d010c',
    'arp 10.77.1.11 is at 52:54:00:00:00:0a',
  ],
  ['0806 0001 0800', 'arp cut short'],
  ['8035 0001', 'rarp'],
  ['8100 0064', 'a second tag, vid 100'],
  ['88cc', 'lldp'],
  ['88b5', '0x88b5'],
  ['0026 424203', 'bpdu'],
  ['0026 aaaa03 00000c 2000', 'cdp'],
  ['0026 e0e003', 'llc'],
];

test('a frame is told in one line', () => {
  for (const [octets, summary] of summaries) {
    const frame = Buffer.from(`${addresses} ${octets}`.replaceAll(' ', ''), 'hex');
    assert.equal(frameSummary(frame), `52:54:00:00:00:0a > 52:54:00:00:00:0b, ${summary}`);
  }
  assert.equal(frameSummary(new Uint8Array(13)), 'cut short: 13 octets');
});

test('whatever the octets are, and wherever they end, there is a line', () => {
  const known = fc
    .tuple(fc.constantFrom(...summaries), fc.nat(80), fc.uint8Array({ maxLength: 40 }))
    .map(([[octets], length, tail]) =>
      Buffer.concat([Buffer.from(`${addresses}${octets}`.replaceAll(' ', ''), 'hex'), tail]).subarray(
        0,
        length,
      ),
    );
  fc.assert(
    fc.property(fc.oneof(known, fc.uint8Array({ maxLength: 128 })), (frame) => {
      assert.match(frameSummary(frame), /^[^\n]{1,200}$/);
    }),
    { numRuns: 1000 },
  );
});
