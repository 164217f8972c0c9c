import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { bridgePort, stationPort } from '../../kit/protocol/fixtures.ts';
import { assertDecodersHold, fuzz } from '../../kit/protocol/fuzz.ts';

const frames = 100_000;
const seed = Number(process.env.HAIRPIN_SEED ?? 20_261_126);

test(`${frames} mutated frames from the captures: decoders and machines live, and do not grow`, () => {
  const { ecpdus, requests, malformed, signed } = fuzz(seed, frames);
  assert.ok(ecpdus > frames / 5, `only ${ecpdus} ECPDUs got in`);
  assert.ok(requests > frames / 100, `only ${requests} requests got through to the agent`);
  assert.ok(malformed > frames / 10, `only ${malformed} were malformed`);
  // also behind a signature that is right
  assert.ok(signed.ecpdus > frames / 40, `only ${signed.ecpdus} signed ECPDUs got in`);
  assert.ok(signed.requests > frames / 200, `only ${signed.requests} signed requests got through`);
  for (const [reason, count] of Object.entries(signed.refused))
    assert.ok(count > frames / 400, `only ${count} were refused: ${reason}`);
});

test('what fuzzing found once does no harm again', () => {
  const crashers = new URL('../../fixtures/crashers/', import.meta.url);
  const names = readdirSync(crashers);
  assert.ok(names.length > 0);
  for (const name of names) {
    const frame = Uint8Array.from(Buffer.from(readFileSync(new URL(name, crashers), 'utf8').trim(), 'hex'));
    assertDecodersHold(frame);
    for (const port of [bridgePort(), stationPort()]) {
      port.linkUp(0);
      assert.ok(
        port.receive(frame, 1).every(({ kind }) => kind === 'ignored'),
        name,
      );
    }
  }
});
