import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { after, before, describe, it } from 'node:test';
import { callLocal, followLocal } from '../../src/local/socket-client.ts';
import type { ShownBridge } from '../../src/bridge/control/show.ts';
import { parseMac } from '../../src/domain/mac-address.ts';
import { KernelLab, type AgentName } from '../../src/lab/kernel-lab.ts';
import { bridgeName, uplink } from '../../src/lab/scenario.ts';
import { BurstSocket } from '../../src/linux/net/burst-socket.ts';
import { inNamespace } from '../../src/linux/net/namespace.ts';
import { encodeFrame, nearestCustomerBridge } from '../../src/protocol/ethernet.ts';
import { etherTypes } from '../../src/domain/packet-numbers.ts';
import { labOptions, planOf, statusOf, until } from '../kit/lab/kit.ts';

const lab = new KernelLab(labOptions('t10'));
const control = join(lab.directory, bridgeName, 'control.sock');
const show = async () => (await callLocal(control, 'show')) as ShownBridge;
const pidOf = (agent: AgentName) => lab.status().processes.find(({ name }) => name === agent)!.pid!;
/** An agent that has more to do than it should, has this to end; the machine of the tests has other work as well. */
const soon = 4_000;

before(() => lab.up());
after(() => lab.down());

async function endsSoon(agent: AgentName): Promise<void> {
  const since = performance.now();
  await lab.stopAgent(agent, 'SIGTERM');
  const took = performance.now() - since;
  assert.ok(took < soon, `${agent} took ${took} ms to end`);
  const log = readFileSync(join(lab.directory, `${agent}.log`), 'utf8');
  assert.doesNotMatch(log, /not ended within/);
}

/** What a VM, or a host that has gone wild, can send at a port as fast as it can, until `stop`. */
function flood() {
  const frames = [
    { destination: nearestCustomerBridge, etherType: etherTypes.lldp, source: parseMac('02:00:00:00:66:01') },
    { destination: parseMac('02:00:00:00:66:02'), etherType: 0x0800, source: parseMac('02:00:00:00:66:03') },
  ].map((frame) => encodeFrame({ ...frame, payload: new Uint8Array(46) }));
  const socket = inNamespace(lab.names.host('h1'), () => new BurstSocket(uplink, frames));
  const stop = new AbortController();
  const done = (async () => {
    for (; !stop.signal.aborted; await nextTurn()) socket.send(512);
    socket.close();
  })();
  return {
    stop: () => {
      stop.abort();
      return done;
    },
  };
}

describe('under a flood of control frames and of dropped ones that are watched', () => {
  it('the bridge agent answers, its timers run, no VSI is lost, and it ends when it is told to', async () => {
    const gone = new AbortController();
    const following = (async () => {
      for await (const _ of followLocal(control, 'drops', {}, gone.signal));
    })();
    const sending = flood();
    const sent = async (port: string) =>
      (await show()).ports.find(({ name }) => name === port)!.station!.counters.lldp.sent;
    const before = await sent('p2');
    await until('LLDP every 30 s at the other port', async () => (await sent('p2')) > before, 40_000);
    for (const { station } of (await show()).ports)
      for (const vsi of station?.vsis ?? [])
        assert.deepEqual([vsi.association, vsi.held], ['associated', null]);
    await endsSoon(bridgeName);
    await sending.stop();
    gone.abort();
    await following;
    await lab.startAgent(bridgeName);
  });
});

describe('with a manager that is frozen', () => {
  it('bridge and station end when they are told to', async () => {
    await until('a at p1', async () => (await statusOf(lab, planOf('a')))?.association === 'associated');
    process.kill(pidOf('manager'), 'SIGSTOP');
    await endsSoon(bridgeName);
    await endsSoon('h1');
    process.kill(pidOf('manager'), 'SIGCONT');
    await lab.startAgent(bridgeName);
    await lab.startAgent('h1');
  });
});
