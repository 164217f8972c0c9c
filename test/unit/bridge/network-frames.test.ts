import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressAnnouncement, rarp } from '../../../src/bridge/core/network-frames.ts';
import { isAnnouncement } from '../../../src/relay/reference/announcements.ts';
import { parseFrame } from '../../../src/relay/reference/frame.ts';
import { parseMac } from '../../../src/domain/mac-address.ts';
import { onesSum } from '../../kit/relay/frames.ts';

const mac = parseMac('52:54:00:00:00:0a');
const hex = (frame: Uint8Array) => Buffer.from(frame).toString('hex');

test('a RARP is what QEMU sends for its guests', () => {
  const expected =
    'ffffffffffff' +
    '52540000000a' +
    '8035' +
    '0001080006040003' +
    '52540000000a' +
    '00000000' +
    '52540000000a';
  assert.equal(hex(rarp(mac)), expected.padEnd(120, '0'));
});

test('an ARP announcement asks for the own address', () => {
  const expected =
    'ffffffffffff' +
    '52540000000a' +
    '0806' +
    '0001080006040001' +
    '52540000000a' +
    '0a000001' +
    '000000000000' +
    '0a000001';
  assert.equal(hex(addressAnnouncement(mac, '10.0.0.1')), expected.padEnd(120, '0'));
});

test('a neighbour advertisement goes to all nodes, overrides what they know, and has a right checksum', () => {
  const frame = addressAnnouncement(mac, '2001:db8::1');
  assert.equal(
    hex(frame).replace(/(?<=8800)..../, '____'),
    '333300000001' +
      '52540000000a' +
      '86dd' +
      '6000000000203aff' +
      '20010db8000000000000000000000001' +
      'ff020000000000000000000000000001' +
      '8800____' +
      '20000000' +
      '20010db8000000000000000000000001' +
      '0201' +
      '52540000000a',
  );
  const packet = frame.subarray(14);
  const pseudo = Uint8Array.from([
    ...packet.subarray(8, 40),
    0,
    0,
    0,
    32,
    0,
    0,
    0,
    58,
    ...packet.subarray(40),
  ]);
  assert.equal(onesSum(pseudo), 0xffff);
});

test("each is what the relay takes for a VM's own announcement", () => {
  for (const frame of [rarp(mac), addressAnnouncement(mac, '10.0.0.1'), addressAnnouncement(mac, 'fe80::1')])
    assert.ok(isAnnouncement(parseFrame(frame)!));
});
