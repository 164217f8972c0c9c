import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { nsenter } from '../../src/linux/net/namespace.ts';
import { run } from '../../src/linux/run.ts';
import { mac, until, Wires } from '../kit/kernel/lldpad-harness.ts';
import {
  controlFrames,
  Ear,
  links,
  Mouth,
  namesOf,
  ordinaryFrame,
  Tap,
} from '../kit/kernel/vm-filter-harness.ts';

const document = readFileSync(new URL('../../docs/security.md', import.meta.url), 'utf8');

/** The only block of this language in docs/security.md. */
function block(language: string): string {
  const blocks = Array.from(document.matchAll(/^```(\w+)\n(.*?)^```$/gms)).filter(
    ([, its]) => its === language,
  );
  assert.equal(blocks.length, 1, `one block of ${language}`);
  return blocks[0]![2]!;
}

const ways = {
  nft: ['nft', '-f', '-'],
  sh: ['sh', '-eu'],
} as const;

for (const [language, command] of Object.entries(ways))
  test(`the lines of ${language} for a host with another station keep control frames from its VM and back`, async () => {
    await using wires = await Wires.lay();
    const host = wires.host('p1');
    await links(
      host,
      'link add link eth0 name macvtap0 type macvtap mode vepa',
      'link set macvtap0 promisc on up',
    );
    using tap = await Tap.open(wires, host, 'macvtap0');
    using ear = new Ear(wires.switch, 'p1');
    using bridge = new Mouth(wires.switch, 'p1');
    using station = new Mouth(host, 'eth0');
    // what the document says these lines do not look for
    const sent = controlFrames(mac(1)).filter(
      ({ name }) => !name.includes('to one address, in SNAP, tagged'),
    );
    const names = sent.map(({ name }) => name);
    const out = async (say: (frame: Uint8Array) => void) =>
      namesOf(
        await ear.until(() => {
          for (const { frame } of sent) say(frame);
          say(ordinaryFrame(mac(1)));
        }),
        sent,
      );
    const heard = async () => {
      const last = ordinaryFrame(mac(9), mac(2));
      const taken: Uint8Array[] = [];
      for (const { frame } of sent) bridge.say(frame);
      const broadcast = Buffer.from(last).fill(0xff, 0, 6);
      bridge.say(broadcast);
      await until(
        'the broadcast',
        () => taken.push(...tap.take()),
        () => taken.some((frame) => broadcast.equals(frame)),
      );
      return namesOf(taken, sent);
    };
    assert.deepEqual(await out((frame) => tap.say(frame)), names, 'without them, all get out');
    assert.ok((await heard()).length > 30, 'and are heard');

    const [enter, ...args] = nsenter(host, command);
    await run(enter, args, block(language));
    assert.deepEqual(await out((frame) => tap.say(frame)), []);
    assert.deepEqual(await heard(), []);
    assert.deepEqual(await out((frame) => station.say(frame)), names, "the host's own pass");
  });
