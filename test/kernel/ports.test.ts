import assert from 'node:assert/strict';
import { test } from 'node:test';
import { interfaceIndex } from '../../src/linux/net/interfaces.ts';
import { inNamespace } from '../../src/linux/net/namespace.ts';
import { ip } from '../../src/linux/run.ts';
import { hasIngress } from '../../src/linux/bpf/tc-program.ts';
import { Agent, until, Wires } from '../kit/kernel/lldpad-harness.ts';

const others = {
  late: { kind: 'station' },
  n1: { kind: 'network', nativeVlan: 100 },
  m1: { kind: 'mirror', session: 'tap' },
};

test('a bridge serves the ports that are there, and takes on those that come, go and come back', async () => {
  await using wires = await Wires.lay();
  await wires.setLink('p2', 'host', false);
  const agent = await Agent.start(wires, { profiles: [], vsis: [], ports: others });
  const links = async () => {
    const names = ['p1', 'p2', ...Object.keys(others)];
    return Object.fromEntries(
      await Promise.all(names.map(async (name) => [name, (await agent.shown(name)).link] as const)),
    );
  };
  const plug = async (name: string) => {
    await ip(wires.switch, [`link add ${name} type veth peer name far-${name}`]);
    await ip(wires.switch, [`link set ${name} up`, `link set far-${name} up`]);
  };
  const becomes = (name: string, link: string) =>
    until(
      `${name} is ${link}`,
      async () => (await agent.shown(name)).link,
      (now) => now === link,
    );
  const isBound = (name: string) => inNamespace(wires.switch, () => hasIngress(interfaceIndex(name)));

  assert.deepEqual(await links(), { p1: 'up', p2: 'down', late: 'missing', n1: 'missing', m1: 'missing' });
  assert.deepEqual(
    agent.log().filter((line) => line.includes('no interface yet')),
    Object.keys(others).map((name) => `${name} has no interface yet; it is bound when it comes`),
  );
  for (const name of Object.keys(others)) {
    await plug(name);
    await becomes(name, 'up');
    assert.ok(isBound(name), name);
  }
  await until(
    'the agent speaks at the station port that came',
    async () => (await agent.shown('late')).station!.counters.lldp.sent,
    (sent) => sent > 0,
  );
  for (const name of ['n1', 'm1']) {
    const before = agent.log().length;
    await ip(wires.switch, [`link set far-${name} down`]);
    await becomes(name, 'down');
    await ip(wires.switch, [`link del ${name}`]);
    await becomes(name, 'missing');
    await plug(name);
    await becomes(name, 'up');
    assert.ok(isBound(name), name);
    const [down, gone, came, ...more] = agent.log().slice(before);
    assert.deepEqual(
      [down, gone, came],
      [`link of ${name} is down`, `the interface of ${name} is gone`, `the interface of ${name} came`],
    );
    assert.equal(more.at(-1), `link of ${name} is up`);
  }
});

test('a bridge says that its ports have different MTUs, at start and when one changes, and its data plane knows', async () => {
  await using wires = await Wires.lay();
  await ip(wires.switch, ['link set p2 mtu 1400']);
  const agent = await Agent.start(wires, { profiles: [], vsis: [], ports: {} });
  const differing = (ports: string) => (line: string) =>
    line.startsWith(`ports have different MTUs: ${ports}. Frames longer`);
  const said = (ports: string) => agent.log().filter(differing(ports)).length;
  await until(
    'it says so',
    async () => said('p1 1500; p2 1400'),
    (times) => times === 1,
  );
  assert.equal((await agent.shown('p2')).mtu, 1400);
  await ip(wires.switch, ['link set p1 mtu 9000']);
  await until(
    'it says so again',
    async () => said('p1 9000; p2 1400'),
    (times) => times === 1,
  );
  assert.equal((await agent.shown('p1')).mtu, 9000);
});
