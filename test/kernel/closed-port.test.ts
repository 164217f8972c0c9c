import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { inNamespace, nsenter } from '../../src/linux/net/namespace.ts';
import { interfaceAddress } from '../../src/linux/net/interfaces.ts';
import { PacketSocket } from '../../src/linux/net/packet-socket.ts';
import { ip, run } from '../../src/linux/run.ts';
import { hairpin } from '../kit/cli/hairpin.ts';
import { ethernet, plain } from '../kit/relay/frames.ts';
import { Agent, mac, until, Wires } from '../kit/kernel/lldpad-harness.ts';
import { arpRequest, echoRequest, igmp, routerAdvertisement, snap, udp } from '../kit/kernel/stack-frames.ts';

const vm = mac(0x66);
const management = '192.0.2.7';
const groups = Array.from({ length: 0x40 }, (_, i) => `01:80:c2:00:00:${i.toString(16).padStart(2, '0')}`);

const inside = async (namespace: string, ...command: string[]) => {
  const [program, ...args] = nsenter(namespace, command);
  return run(program, args);
};

/** What the switch's stack knows and has counted, as text. */
async function stackOf(namespace: string): Promise<string> {
  return [
    await inside(namespace, 'ip', '-6', 'route'),
    await inside(namespace, 'ip', '-6', '-o', 'address', 'show', 'scope', 'global'),
    // without the groups that the stack itself speaks to, which it enters when it does
    (await inside(namespace, 'ip', 'neigh', 'show', 'nud', 'all', 'dev', 'p1')).replace(/.* NOARP *\n/g, ''),
    (await inside(namespace, 'cat', '/proc/net/snmp')).match(/^(Ip|Icmp|Udp): \d.*$/gm)!.join('\n'),
  ].join('\n');
}

test("the switch's stack sees nothing of a VM that is associated nowhere", async () => {
  await using wires = await Wires.lay();
  const sw = wires.switch;
  await ip(sw, [`address add ${management}/32 dev lo`, 'link set lo up', 'address add 10.9.9.1/24 dev p1']);
  for (const setting of [
    'ipv6.conf.all.disable_ipv6=0',
    'ipv6.conf.p1.disable_ipv6=0',
    'ipv6.conf.p1.accept_ra=2',
    'ipv6.conf.p1.accept_dad=0',
    'ipv4.conf.all.rp_filter=0',
  ])
    await inside(
      sw,
      'sh',
      '-c',
      `echo ${setting.split('=')[1]} > /proc/sys/net/${setting.split('=')[0]!.replaceAll('.', '/')}`,
    );
  const agent = await Agent.start(wires, { profiles: [], vsis: [] });
  const ears = inNamespace(sw, () =>
    [0x0800, 0x0806, 0x86dd, 0x88b5, 0x88cc, 0x0004].map(
      (etherType) => new PacketSocket('p1', { etherType }),
    ),
  );
  const heard: string[] = [];
  const listen = () => {
    for (const ear of ears) ear.take((frame) => heard.push(Buffer.from(frame).toString('hex')));
  };
  const socket = wires.hostEnd('p1');
  await until(
    'the agent hears its station port',
    async () => (await agent.port('p1')).counters.lldp.sent,
    (sent) => sent > 0,
  );
  listen();
  heard.length = 0;
  const before = await stackOf(sw);
  const all = [
    (to: string) => routerAdvertisement(to, vm),
    (to: string) => arpRequest(to, vm, '192.0.2.99', management),
    (to: string) => arpRequest(to, vm, '10.9.9.9', '10.9.9.1'),
    (to: string) => udp(to, vm, '10.9.9.9', management, 5140),
    (to: string) => udp(to, vm, '10.9.9.9', '10.9.9.1', 5140),
    (to: string) => echoRequest(to, vm, '10.9.9.9', '10.9.9.1'),
    (to: string) => igmp(to, vm, '10.9.9.9'),
    (to: string) => plain(to, vm, 'anything'),
  ];
  const own = inNamespace(sw, () => interfaceAddress('p1'));
  const targets = [...groups, 'ff:ff:ff:ff:ff:ff', '33:33:00:00:00:01', '01:00:5e:00:00:01', own];
  for (const to of targets)
    for (const make of all) {
      const frame = make(to);
      for (const dressed of [frame, tagged(frame, 0), tagged(frame, 100), snap(frame)])
        assert.ok(socket.send(dressed), 'the kernel takes it');
    }
  await until(
    'the data plane has dropped what is no control frame',
    async () => (await agent.shown('p1')).frames.dropped['unassociated'] ?? 0,
    (dropped) => dropped >= (targets.length - 16) * all.length * 4,
  );
  listen();
  assert.deepEqual(heard, []);
  assert.equal(await stackOf(sw), before);
  for (const ear of ears) ear.close();
});

test('a bridge that would close the way to its manager does not start, and says what would be right', async () => {
  await using wires = await Wires.lay();
  await ip(wires.switch, [
    'link add n1 type veth peer name far-n1',
    'link set n1 up',
    'link set far-n1 up',
    'address add 10.0.0.2/24 dev n1',
    'address add 10.0.1.2/24 dev p1',
  ]);
  const refused = async (manager: string, ports: object, complaint: RegExp) => {
    const config = { name: 'sw', manager, stateDirectory: join(wires.directory, 'state'), ports };
    const file = join(wires.directory, 'bridge.yaml');
    writeFileSync(file, JSON.stringify(config));
    const { code, stderr } = await hairpin(['bridge', '--config', file], {
      under: nsenter(wires.switch, []),
    });
    assert.match(stderr, complaint);
    assert.equal(code, 2);
  };
  const ports = { p1: { kind: 'station' }, n1: { kind: 'network', nativeVlan: 10 } };
  await refused(
    'http://10.0.0.1:7470',
    ports,
    /^hairpin: manager: 10\.0\.0\.1 is reached by n1, and network port n1 would keep its answers from this machine; hostVlan: 10 at ports\.n1 would be right$/,
  );
  await refused(
    'http://10.0.1.1:7470',
    ports,
    /^hairpin: manager: 10\.0\.1\.1 is reached by p1, and station port p1 would keep [^\n]*; a way by an interface that is no station port would be right$/,
  );
});

test('a switch that is managed in-band hears its VLAN, and a host its own frames', async () => {
  await using wires = await Wires.lay();
  const sw = wires.switch;
  await ip(sw, [
    `link add n1 type veth peer name eth1 netns ${wires.host('p2')}`,
    'link set n1 up',
    'address add 10.0.0.2/24 dev n1',
  ]);
  await ip(wires.host('p2'), ['link set eth1 up', 'address add 10.0.0.1/24 dev eth1']);
  await ip(wires.host('p1'), [
    'link set eth0 address 52:54:00:00:00:77',
    'address add 10.0.0.77/24 dev eth0',
  ]);
  // several, as a neighbour that was given up a moment ago is asked for anew by the first
  const ping = (from: string, to: string) =>
    inside(from, 'ping', '-c', '3', '-i', '0.4', '-W', '2', to).then(
      () => true,
      () => false,
    );
  const own = inNamespace(sw, () => interfaceAddress('n1'));
  const ear = inNamespace(sw, () => new PacketSocket('n1', { etherType: 0x88b5 }));
  const wire = inNamespace(wires.host('p2'), () => new PacketSocket('eth1'));
  const serves = async (n1: object) => {
    const agent = await Agent.start(wires, {
      profiles: [],
      vsis: [],
      ports: {
        p1: { kind: 'station', host: { macs: ['52:54:00:00:00:77'], vlan: 10 } },
        n1: { kind: 'network', nativeVlan: 10, ...n1 },
      },
    });
    const native = await ping(wires.host('p2'), '10.0.0.2');
    const host = await ping(wires.host('p2'), '10.0.0.77');
    // what a VLAN interface on the port would get
    ear.take(() => {});
    for (const to of [own, 'ff:ff:ff:ff:ff:ff']) wire.send(plain(to, mac(0x99), 'management', 30));
    let tagged = 0;
    ear.take(() => tagged++);
    const reached = { native, tagged, host };
    await agent.stop();
    return reached;
  };
  assert.deepEqual(await serves({}), { native: false, tagged: 0, host: true });
  assert.deepEqual(await serves({ hostVlan: 10 }), { native: true, tagged: 0, host: true });
  assert.deepEqual(await serves({ hostVlan: 30 }), { native: false, tagged: 2, host: true });
  for (const socket of [ear, wire]) socket.close();
});

test('two network ports to one learning bridge make no loop, and one takes over when the other goes', async () => {
  await using wires = await Wires.lay();
  const sw = wires.switch;
  const fabric = wires.host('p2');
  await ip(fabric, ['link add br0 type bridge', 'link set br0 up', 'address add 10.0.0.1/24 dev br0']);
  for (const name of ['n1', 'n2']) {
    await ip(sw, [`link add ${name} type veth peer name far-${name} netns ${fabric}`, `link set ${name} up`]);
    await ip(fabric, [`link set far-${name} master br0`, `link set far-${name} up`]);
  }
  const host = '52:54:00:00:00:77';
  await ip(wires.host('p1'), [`link set eth0 address ${host}`, 'address add 10.0.0.77/24 dev eth0']);
  const network = { kind: 'network', nativeVlan: 10 };
  const agent = await Agent.start(wires, {
    profiles: [],
    vsis: [],
    ports: { p1: { kind: 'station', host: { macs: [host], vlan: 10 } }, n1: network, n2: network },
  });
  const ping = () => inside(fabric, 'ping', '-c', '3', '-i', '0.2', '-W', '2', '10.0.0.77');
  const frames = async (name: string) => (await agent.shown(name)).frames;
  const active = async (name: string) => (await agent.shown(name)).network?.active;
  assert.match(await ping(), / 0% packet loss/);
  assert.deepEqual([await active('n1'), await active('n2')], [[10], []]);
  assert.equal((await frames('n2')).out, 0, 'none are sent to the one that stands by');
  // broadcasts reach both, and none comes back
  const socket = inNamespace(fabric, () => new PacketSocket('br0', {}));
  const back: string[] = [];
  socket.listen(
    (frame) => {
      if (frame[12] === 0x88 && frame[13] === 0xb5) back.push(Buffer.from(frame).toString('hex'));
    },
    (error) => assert.fail(String(error)),
  );
  for (let i = 0; i < 10; i++) socket.send(ethernet('ff:ff:ff:ff:ff:ff', '02:00:00:00:00:99', 0x88b5));
  await until(
    'the one that stands by has dropped them',
    async () => (await frames('n2')).dropped['standby'] ?? 0,
    (dropped) => dropped >= 10,
  );
  assert.deepEqual(back, []);
  assert.ok((await frames('n1')).in < 100, 'there is no storm');
  await ip(fabric, ['link set far-n1 down']);
  await until(
    'n2 takes over',
    () => active('n2'),
    (vlans) => vlans?.[0] === 10,
  );
  // the bridge behind it was told where the host is, before anybody spoke
  const learned = await run('bridge', ['-n', fabric, 'fdb', 'show', 'br', 'br0']);
  assert.match(learned, new RegExp(`^${host} dev far-n2 `, 'm'));
  assert.match(await ping(), / 0% packet loss/);
  assert.ok((await frames('n2')).out > 0);
  await ip(fabric, ['link set far-n1 up']);
  await until(
    'n1 is back',
    async () => (await agent.shown('n1')).link,
    (link) => link === 'up',
  );
  assert.deepEqual(await active('n2'), [10], 'and takes nothing over');
  assert.match(await ping(), / 0% packet loss/);
  socket.close();
});

function tagged(frame: Uint8Array, tci: number): Uint8Array {
  return Uint8Array.from([...frame.subarray(0, 12), 0x81, 0, tci >> 8, tci & 0xff, ...frame.subarray(12)]);
}
