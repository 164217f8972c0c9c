import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Announcements } from '../../../src/bridge/core/announcements.ts';
import { parseMac } from '../../../src/domain/mac-address.ts';
import { nullVid } from '../../../src/domain/vid.ts';
import type { Neighbour } from '../../../src/protocol/lldp/neighbour.ts';
import type { RelayEvent } from '../../../src/relay/contract/relay.ts';

const on = (port: string): RelayEvent => ({
  kind: 'announcement',
  port,
  mac: parseMac('52:54:00:00:00:0a'),
  wireVid: nullVid,
  reason: 'armed',
  at: 0n,
});
const station = (systemDescription: string | null): Neighbour => ({
  mac: parseMac('02:00:00:00:00:01'),
  chassisId: 'x',
  portId: 'x',
  systemName: 'h1',
  systemDescription,
  portDescription: null,
  capabilities: [],
  managementAddresses: [],
});

test("announcements count at somebody else's station, and not at Hairpin's own", () => {
  for (const [description, counts] of [
    ['Linux h1 6.1.0', true],
    [null, true],
    ['Hairpin', false],
  ] as const) {
    const announcements = new Announcements(new Map());
    announcements.met('p1', station(description));
    assert.equal(announcements.counts(on('p1')), counts, String(description));
  }
});

test('a port may be set to the one or the other', () => {
  const announcements = new Announcements(
    new Map([
      ['p1', 'never'],
      ['p2', 'armed'],
    ]),
  );
  announcements.met('p1', station('lldpad'));
  announcements.met('p2', station('Hairpin'));
  assert.deepEqual([announcements.counts(on('p1')), announcements.counts(on('p2'))], [false, true]);
});

test('what was announced before the station is known is not lost', () => {
  const announcements = new Announcements(new Map());
  const first = on('p1');
  assert.equal(announcements.counts(first), false);
  assert.equal(announcements.counts(on('p2')), false);
  assert.deepEqual([...announcements.met('p1', station('lldpad'))], [first]);
  assert.equal(announcements.counts(first), true);
  assert.deepEqual([...announcements.met('p1', station('lldpad'))], []);
});
