import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMac } from '../../../src/domain/mac-address.ts';
import { bridgePort, stationPort, vsi } from './fixtures.ts';
import { draftCaptures, ratifiedCaptures, readCapture } from './pcap.ts';
import { Chance } from './simulated-link.ts';
import { Peer, bridgeEvb, stationEvb } from './peer.ts';

const frames = [...ratifiedCaptures, ...draftCaptures].flatMap((name) => readCapture(name));
const rounds = 20_000;
const seed = 20_261_123;

/** One to four blows: another octet, another bit, cut off, run on, or a piece of another frame. */
function mutate(octets: Uint8Array, chance: Chance): Uint8Array {
  let mutated = Uint8Array.from(octets);
  for (let blows = 1 + chance.below(4); blows > 0; blows--) {
    // Mostly behind the addresses, so that the frame is still listened to.
    const at = Math.min(
      mutated.length - 1,
      chance.next() < 0.95 ? 12 + chance.below(mutated.length) : chance.below(12),
    );
    if (at < 0) return mutated;
    switch (chance.below(5)) {
      case 0:
        mutated[at] = chance.below(256);
        break;
      case 1:
        mutated[at]! ^= 1 << chance.below(8);
        break;
      case 2:
        mutated = mutated.slice(0, at);
        break;
      case 3:
        mutated = Uint8Array.from([
          ...mutated,
          ...Array.from({ length: chance.below(900) }, () => chance.below(256)),
        ]);
        break;
      default: {
        const other = chance.pick(frames).octets;
        mutated.set(
          other.subarray(at, Math.min(other.length, mutated.length, at + 1 + chance.below(40))),
          at,
        );
      }
    }
  }
  return mutated;
}

const ends = {
  // The captures' station and bridge, so that their frames come from the right address.
  bridge: () => bridgePort({ mac: parseMac('02:00:00:00:00:02'), limits: { vsis: 8, filterEntries: 64 } }),
  station: () => stationPort({ mac: parseMac('02:00:00:00:00:01') }),
};

for (const role of ['bridge', 'station'] as const)
  test(`${rounds} mutated frames from the captures: the ${role} lives, and does not grow`, () => {
    const chance = new Chance(seed);
    const port = ends[role]();
    const peer =
      role === 'bridge' ? new Peer(parseMac('02:00:00:00:00:01')) : new Peer(parseMac('02:00:00:00:00:02'));
    let now = 0;
    let delivered = 0;
    port.linkUp(now);
    if ('request' in port) for (let n = 1; n <= 3; n++) port.request(vsi(n), 'associate', now);
    for (let round = 0; round < rounds; round++) {
      now += 10;
      const frame = mutate(chance.pick(frames).octets, chance);
      try {
        // What a mutated LLDPDU undid, a right one mends, so that ECP and VDP get their share.
        if (round % 20 === 0) port.receive(peer.lldp(role === 'bridge' ? stationEvb : bridgeEvb), now);
        const outputs = port.receive(frame, now);
        assert.ok(outputs.length <= 64, `${outputs.length} outputs for one frame`);
        if (role === 'bridge') delivered += outputs.filter(({ kind }) => kind === 'request').length;
        port.tick(now);
        const deadline = port.deadline();
        assert.ok(deadline === null || deadline > now);
      } catch (error) {
        throw new Error(`seed ${seed}, round ${round}: ${Buffer.from(frame).toString('hex')}`, {
          cause: error,
        });
      }
    }
    const state = port.state();
    assert.ok(
      state.counters.ecp.rxFrameCount > rounds / 100,
      `only ${state.counters.ecp.rxFrameCount} ECPDUs got in`,
    );
    assert.ok((state.counters.ignored.malformed ?? 0) > rounds / 100);
    if (role === 'bridge') assert.ok(delivered > 50, `only ${delivered} requests got through to VDP`);
    assert.ok(state.vsis.length <= 8);
  });
