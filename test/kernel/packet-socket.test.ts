import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createNamespace, deleteNamespace, inNamespace } from '../../src/linux/net/namespace.ts';
import { batch, etherTypeFilter, PacketSocket } from '../../src/linux/net/packet-socket.ts';
import { ip, run } from '../../src/linux/run.ts';
import { parseMac } from '../../src/domain/mac-address.ts';
import {
  controlEtherTypes,
  encodeFrame,
  groupAddresses,
  nearestCustomerBridge,
} from '../../src/protocol/ethernet.ts';
import { etherTypes } from '../../src/domain/packet-numbers.ts';
import { until } from '../kit/peers/until.ts';

const namespace = `hp-sock-${process.pid}`;
const filter = etherTypeFilter(controlEtherTypes);
const source = parseMac('02:00:00:00:00:09');
const frame = (destination = nearestCustomerBridge) =>
  encodeFrame({ destination, source, etherType: etherTypes.lldp, payload: new Uint8Array(46) });
const open = (name: string) =>
  inNamespace(namespace, () => new PacketSocket(name, { filter, groups: groupAddresses }));
const failed = (error: unknown) => assert.fail(String(error));

describe('packet sockets', () => {
  before(async () => {
    await createNamespace(namespace);
    await ip(namespace, [
      ...['p1', 'p2', 'p3'].flatMap((n) => [
        `link add ${n} type veth peer name far-${n}`,
        `link set ${n} up`,
        `link set far-${n} up`,
      ]),
      'link add link p3 name m3 type macvlan mode private',
      'link set m3 up',
    ]);
  });
  after(() => deleteNamespace(namespace));

  it('share the turns: a flood on one port keeps no frame waiting on another', async () => {
    using sockets = new DisposableStack();
    const flood = 20 * batch; // fewer than may wait for a CPU, so that none is lost
    const [a, b, farA, farB] = ['p1', 'p2', 'far-p1', 'far-p2'].map((name) => open(name));
    for (const socket of [a, b, farA, farB]) sockets.defer(() => socket!.close());
    let [seen, seenBefore] = [0, -1];
    // all of it is there before the first turn of the event loop
    assert.ok(farB!.send(frame()));
    for (let i = 0; i < flood; i++) assert.ok(farA!.send(frame()));
    a!.listen(() => void seen++, failed);
    b!.listen(() => void (seenBefore = seen), failed);
    await until('both ports are read to the end', () => seen === flood && seenBefore >= 0);
    assert.ok(seenBefore <= 2 * batch, `${seenBefore} frames of the flood came first`);
  });

  it('join the group addresses, which an interface that is no bridge port keeps out otherwise', async () => {
    const joined = async () => {
      const shown = await run('ip', ['-n', namespace, 'maddr', 'show', 'dev', 'm3']);
      return groupAddresses.filter((group) => shown.includes(group));
    };
    assert.deepEqual(await joined(), []);
    const [near, far] = [open('m3'), open('far-p3')];
    {
      using sockets = new DisposableStack();
      for (const socket of [near, far]) sockets.defer(() => socket.close());
      assert.deepEqual(await joined(), groupAddresses);
      let seen = 0;
      near.listen(() => void seen++, failed);
      for (const destination of groupAddresses) assert.ok(far.send(frame(destination)));
      await until('all has arrived', () => seen === groupAddresses.length);
    }
    assert.deepEqual(await joined(), []);
  });

  it('hear again after their interface was down, however often', async () => {
    using sockets = new DisposableStack();
    const [near, far] = [open('p1'), open('far-p1')];
    for (const socket of [near, far]) sockets.defer(() => socket.close());
    let seen = 0;
    near.listen(() => void seen++, failed);
    for (let flap = 1; flap <= 10; flap++) {
      await ip(namespace, ['link set p1 down', 'link set p1 up']);
      await until('there is a carrier again', () => far.send(frame()));
      await until(`a frame is heard after flap ${flap}`, () => seen >= flap, 2_000);
      seen = flap;
    }
  });
});
