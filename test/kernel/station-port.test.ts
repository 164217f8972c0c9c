import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { controlEtherTypes } from '../../src/protocol/ethernet.ts';
import { callLocal } from '../../src/local/socket-client.ts';
import type { VsiId } from '../../src/domain/vsi-id.ts';
import { parseProfileKey } from '../../src/domain/profile-ref.ts';
import { nullVid } from '../../src/domain/vid.ts';
import { systemClock } from '../../src/linux/clock.ts';
import { interfaceAddress } from '../../src/linux/net/interfaces.ts';
import { inNamespace } from '../../src/linux/net/namespace.ts';
import { etherTypeFilter, PacketSocket } from '../../src/linux/net/packet-socket.ts';
import { ip } from '../../src/linux/run.ts';
import { Driver } from '../../src/protocol/driver.ts';
import { StationPort, type StationPortOutput } from '../../src/protocol/station-port.ts';
import type { VdpMode } from '../../src/protocol/vdp/association.ts';
import { Agent, mac, quick, until, vsiId, Wires } from '../kit/kernel/lldpad-harness.ts';
import { Manager } from '../kit/kernel/manager-beside.ts';

const profile = parseProfileKey('mgr1/17/1');

/** Our station's machine on an interface of a namespace. */
class Station implements Disposable {
  readonly #driver: Driver<StationPort, StationPortOutput>;
  readonly #socket: PacketSocket;
  readonly #told: StationPortOutput[] = [];

  constructor(namespace: string, link: string) {
    const filter = etherTypeFilter(controlEtherTypes);
    this.#socket = inNamespace(namespace, () => new PacketSocket(link, { filter }));
    const machine = new StationPort({
      mac: inNamespace(namespace, () => interfaceAddress(link)),
      systemName: 'h1',
      portId: link,
      evb: { reflectiveRelay: true, groupIds: false, timers: quick },
    });
    this.#driver = new Driver<StationPort, StationPortOutput>(machine, systemClock, (output) => {
      if (output.kind === 'send') this.#socket.send(output.frame);
      else this.#told.push(output);
    });
    this.#socket.listen(
      (frame) => this.#driver.receive(frame),
      (error) => {
        throw error;
      },
    );
    this.#driver.do((port, now) => port.linkUp(now));
  }

  ask(mode: VdpMode, n: number): void {
    const filter = { format: 'mac-vid', entries: [{ mac: mac(n), vid: nullVid }] } as const;
    this.#driver.do((port, now) => port.request({ vsiId: vsiId(n), profile, filter }, mode, now));
  }

  get state() {
    return this.#driver.machine.state();
  }

  /** What became of a VSI, in order. */
  told(id: VsiId): string[] {
    return this.#told.flatMap((output) =>
      'vsiId' in output && output.vsiId === id
        ? [`${output.kind}${output.kind === 'deassociated' ? ` by ${output.by}` : ''}`]
        : [],
    );
  }

  [Symbol.dispose](): void {
    this.#driver.stop();
    this.#socket.close();
  }
}

const told = (station: Station, n: number, what: string) =>
  until(
    what,
    () => station.told(vsiId(n)),
    (list) => list.includes(what),
  );

test("our station and lldpad's bridge role", async (t) => {
  await using wires = await Wires.lay();
  wires.lldpadBridge('p1');
  using station = new Station(wires.host('p1'), 'eth0');
  await until(
    'EVB is negotiated',
    () => station.state.evb,
    ({ negotiated, dialect }) => negotiated && dialect === 'ratified',
  );

  await t.test('everything is granted, and kept alive', async () => {
    for (const mode of ['pre-associate', 'pre-associate-rr', 'associate'] as const) {
      station.ask(mode, 1);
      await until(
        `${mode} granted`,
        () => station.state.vsis[0],
        (vsi) => vsi?.mode === mode && vsi.phase === 'settled',
      );
    }
    const before = station.state.counters.vdp.commandsSucceeded;
    await until(
      'renewed',
      () => station.state.counters.vdp.commandsSucceeded,
      (count) => count >= before + 3,
    );
    assert.deepEqual(new Set(station.told(vsiId(1))), new Set(['granted']));
  });

  await t.test(
    'what is de-associated lldpad keeps, and de-associates itself later: that is nothing to us',
    async () => {
      const { length } = station.told(vsiId(1));
      station.ask('de-associate', 1);
      await told(station, 1, 'deassociated by self');
      assert.deepEqual(station.state.vsis, []);
      const heard = () => station.state.counters.ecp.rxFrameCount;
      const before = heard();
      await until('lldpad lets go by its keep-alive', heard, (count) => count > before);
      assert.deepEqual(station.told(vsiId(1)).slice(length), ['deassociated by self']);
      for (let i = 0; i < 2; i++) {
        station.ask('associate', 2);
        await until(
          'it is granted, also when lldpad has not let go yet',
          () => station.state.vsis[0],
          (vsi) => vsi?.phase === 'settled',
        );
        station.ask('de-associate', 2);
        await until(
          'it is gone',
          () => station.state.vsis,
          (vsis) => vsis.length === 0,
        );
      }
      const once = ['granted', 'deassociated by self'];
      assert.deepEqual(station.told(vsiId(2)), [...once, ...once]);
    },
  );
});

const layouts = {
  'bare interfaces': async () => {},
  // which flood 01-80-C2-00-00-00, and leave a socket that is bound to an EtherType nothing of it
  'ports of Linux bridges without STP': async (wires: Wires) => {
    for (const [namespace, link] of [
      [wires.switch, 'p1'],
      [wires.host('p1'), 'eth0'],
    ] as const)
      await ip(namespace, [
        'link add br0 type bridge stp_state 0',
        'link set br0 up',
        `link set ${link} master br0`,
      ]);
  },
};

for (const [layout, lay] of Object.entries(layouts))
  test(`our station and our bridge on ${layout}`, async () => {
    await using wires = await Wires.lay();
    await lay(wires);
    const agent = await Agent.start(wires, {
      profiles: [{ managerId: 'mgr1', typeId: 17, vlan: 100 }],
      vsis: [1, 2].map((n) => ({ vsiId: vsiId(n), macs: [mac(n)], profile: 'mgr1/17/1' })),
    });
    using station = new Station(wires.host('p1'), 'eth0');
    const held = async (n: number) => (await agent.held('p1'))[vsiId(n)];
    station.ask('pre-associate-rr', 1);
    await told(station, 1, 'granted');
    assert.equal(await held(1), 'pre-associated with resource reservation');
    station.ask('associate', 1);
    station.ask('associate', 2);
    await told(station, 2, 'granted');
    await until(
      'associated',
      () => held(1),
      (association) => association === 'associated',
    );
    const { neighbour, evb } = await agent.port('p1');
    assert.deepEqual([neighbour?.systemName, evb.reflectiveRelay], ['h1', true]);
    const before = station.state.counters.vdp.commandsSucceeded;
    await until(
      'both are renewed twice',
      () => station.state.counters.vdp.commandsSucceeded,
      (count) => count >= before + 4,
    );
    station.ask('associate', 3);
    await told(station, 3, 'refused');
    station.ask('de-associate', 1);
    await told(station, 1, 'deassociated by self');
    assert.equal(await held(1), undefined);
    assert.equal(await held(2), 'associated');
  });

test('a station agent whose uplink is made anew asks again for its VMs', async () => {
  await using wires = await Wires.lay();
  using manager = await Manager.start(wires);
  await manager.grant(1);
  const agent = await Agent.start(wires, { manager: manager.url });
  const control = join(wires.directory, 'h1.sock');
  const path = join(wires.directory, 'h1.yaml');
  writeFileSync(
    path,
    JSON.stringify({ name: 'h1', uplink: 'eth0', manager: manager.url, control, evb: quick }),
  );
  await wires.processes.start('h1', wires.host('p1'), ['station', '--config', path]);
  const started = { event: 'started', vm: 'vm1', macs: [mac(1)] };
  assert.deepEqual(await callLocal(control, 'announce', started), { granted: true });
  await wires.unplug('p1');
  await until(
    'the bridge lets go by its keep-alive',
    () => agent.held('p1'),
    (held) => Object.keys(held).length === 0,
  );
  await wires.plug('p1');
  await until(
    'it is associated again',
    () => agent.placeOf('p1', vsiId(1)),
    (place) => place === 'active',
  );
});
