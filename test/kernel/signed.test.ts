import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { LldpadNetlink } from '../../src/bench/peers/lldpad-netlink.ts';
import { parseMac } from '../../src/domain/mac-address.ts';
import { inNamespace } from '../../src/linux/net/namespace.ts';
import { etherTypeFilter, PacketSocket } from '../../src/linux/net/packet-socket.ts';
import { run } from '../../src/linux/run.ts';
import { decodeEcpdu } from '../../src/protocol/ecp/ratified.ts';
import { decodeFrame } from '../../src/protocol/ethernet.ts';
import { etherTypes } from '../../src/domain/packet-numbers.ts';
import type { EvbTimers } from '../../src/protocol/evb/timers.ts';
import { hex } from '../../src/base/octets.ts';
import { compareCounters, findSignature } from '../../src/protocol/signed/tlv.ts';
import { hairpin } from '../kit/cli/hairpin.ts';
import { must, Peer, freshStationEvb } from '../kit/protocol/peer.ts';
import { isLldp, isRequest, isSigned } from '../kit/protocol/signed-frames.ts';
import { Agent, mac, until, vsiId, Wires } from '../kit/kernel/lldpad-harness.ts';
import { Manager } from '../kit/kernel/manager-beside.ts';
import { OurStation } from '../kit/kernel/our-station.ts';

/** Keep-alives, and repeats where nothing is lost, are far away. */
const timers: EvbTimers = { retries: 3, rte: 13, rwd: 18, rka: 22 };
const stationMac = parseMac('02:00:5e:00:53:01');
const keyOf = (n: number) => n.toString(16).padStart(2, '0').repeat(32);
const [k1, k2] = [keyOf(1), keyOf(2)];

type Port = 'p1' | 'p2';

/** A classic BPF program for tc (bpf_asm): of EtherType 0x8940, what has ECP's operation "acknowledgement" is dropped (2). */
const noAcknowledgements = '7,40 0 0 12,21 0 4 35136,48 0 0 14,84 0 0 12,21 0 1 4,6 0 0 2,6 0 0 4294967295,';

/** All control frames at the switch's end of p1, as they come and as they leave; each once, however often it is sent again. */
class Tap {
  readonly fromStation: Uint8Array[] = [];
  readonly toStation: Uint8Array[] = [];
  readonly #socket: PacketSocket;
  readonly #seen = new Set<string>();

  constructor(wires: Wires) {
    const filter = etherTypeFilter([etherTypes.lldp, etherTypes.ecp]);
    this.#socket = inNamespace(wires.switch, () => new PacketSocket('p1', { filter, outgoing: true }));
  }

  /** Reads what has come since. */
  read(): this {
    this.#socket.drain((frame) => {
      const { size } = this.#seen;
      if (this.#seen.add(hex(frame)).size === size) return;
      const of = must(decodeFrame(frame)).source === stationMac ? this.fromStation : this.toStation;
      of.push(Uint8Array.from(frame));
    });
    return this;
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

/** One switch, one manager, our station "h1" at p1, lldpad at p2; VMs 1 to 9 are granted anywhere. */
class Site implements AsyncDisposable {
  readonly wires: Wires;
  readonly manager: Manager;
  readonly tap: Tap;
  readonly station: OurStation;
  readonly #named: { readonly manager: string; readonly stationKeys?: string };
  #made = new AsyncDisposableStack();
  agent!: Agent;

  private constructor(wires: Wires, manager: Manager, hasOwnKeys: boolean) {
    this.wires = wires;
    this.manager = manager;
    this.tap = new Tap(wires);
    this.station = OurStation.signing(wires, 'p1', 'h1', manager.url, timers, k1);
    this.#named = { manager: manager.url, ...(hasOwnKeys && { stationKeys: Site.#keys(wires) }) };
  }

  /** `whose`: whether the bridge has a file of keys, or the manager. */
  static async make(whose: 'bridge' | 'manager'): Promise<Site> {
    await using made = new AsyncDisposableStack();
    const wires = made.use(await Wires.lay());
    writeFileSync(Site.#keys(wires), `h1: ${k1}\n`, { mode: 0o600 });
    const stationKeys = Site.#keys(wires);
    const manager = made.use(await Manager.start(wires, whose === 'manager' ? { stationKeys } : {}));
    const site = new Site(wires, manager, whose === 'bridge');
    made.use(site.tap);
    for (let n = 1; n < 10; n++) await manager.grant(n);
    await site.startBridge();
    site.#made = made.move();
    return site;
  }

  static #keys(wires: Wires): string {
    return join(wires.directory, 'station-keys');
  }

  /** Into the file, which is the bridge's or the manager's. */
  setKeys(keys: Readonly<Record<string, string | readonly string[]>>): void {
    writeFileSync(Site.#keys(this.wires), JSON.stringify(keys));
  }

  async startBridge(): Promise<void> {
    this.agent = await Agent.start(this.wires, this.#named, timers);
  }

  /** SIGHUP, and what came of it. */
  async reload(who: 'bridge' | 'station'): Promise<void> {
    const { pid, log } =
      who === 'bridge'
        ? { pid: this.agent.pid, log: () => this.agent.log().join('\n') }
        : { pid: this.station.pid, log: () => this.station.log() };
    const count = () => log().split('the configuration was read again, and is in force').length;
    const start = count();
    process.kill(pid, 'SIGHUP');
    await until(`the ${who} has read its file again`, count, (now) => now > start);
  }

  async show(port: Port): Promise<string> {
    const config = join(this.wires.directory, 'bridge.yaml');
    const { code, stdout, stderr } = await hairpin(['bridge', 'show', '--port', port, '--config', config]);
    assert.equal(code, 0, stderr);
    return stdout;
  }

  trusts(port: Port, trust: string | null): Promise<unknown> {
    return until(
      `${port} is trusted as ${trust}`,
      async () => {
        const { trust, neighbour, counters } = await this.agent.port(port);
        return { trust, neighbour: neighbour?.systemName, ignored: counters.ignored };
      },
      (now) => now.trust === trust,
    );
  }

  async ignored(port: Port) {
    return (await this.agent.port(port)).counters.ignored;
  }

  /** Both know each other by their signatures. */
  async isSigned(): Promise<void> {
    await this.trusts('p1', 'signed');
    await until(
      'the station knows the bridge by its signature',
      () => this.station.state(),
      ({ trust }) => trust === 'signed',
    );
  }

  async associate(n: number): Promise<void> {
    assert.deepEqual(await this.station.announce('started', `vm${n}`, [mac(n)]), { granted: true });
    assert.equal(await this.agent.placeOf('p1', vsiId(n)), 'active');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#made.disposeAsync();
  }
}

const tlvsOf = (frame: Uint8Array) =>
  isLldp(frame) ? frame.subarray(14) : must(decodeEcpdu(frame.subarray(14))).payload;
const counterOf = (frame: Uint8Array) => findSignature(tlvsOf(frame))!.counter;
const sequenceOf = (frame: Uint8Array) => must(decodeEcpdu(frame.subarray(14))).sequence;

describe('signed control: agents with keys in their files', () => {
  let site: Site;
  let attacker: PacketSocket;
  let netlink: LldpadNetlink;
  const vm = (n: number) => ({
    vsiId: vsiId(n),
    managerId: 12,
    typeId: 17,
    typeVersion: 1,
    mac: mac(n),
    vid: 100,
  });

  before(async () => {
    site = await Site.make('bridge');
    attacker = site.wires.hostEnd('p1');
  });
  after(() => site?.[Symbol.asyncDispose]());

  it('signs both ways: all requests and all LLDPDUs but the first', async () => {
    await site.station.start();
    await site.isSigned();
    await site.associate(1);
    const { fromStation, toStation } = site.tap.read();
    for (const frames of [fromStation, toStation]) {
      const requests = frames.filter(isRequest);
      assert.ok(requests.length > 0 && requests.every(isSigned));
      const lldpdus = frames.filter(isLldp).map(isSigned);
      assert.ok(lldpdus.includes(true) && lldpdus.lastIndexOf(false) < lldpdus.indexOf(true));
      const signed = frames.filter((frame) => (isLldp(frame) || isRequest(frame)) && isSigned(frame));
      const counters = signed.map(counterOf);
      assert.ok(counters.every((counter, i) => i === 0 || compareCounters(counter, counters[i - 1]!) > 0));
    }
    assert.deepEqual(await site.ignored('p1'), {});
    assert.deepEqual((await site.station.state()).counters.ignored, {});
  });

  it('a station that cannot sign is believed at another port beside it, and gets no signature', async () => {
    netlink = site.wires.netlink('p2', await site.wires.station('p2', { groupIds: false }));
    assert.equal(netlink.request('associate', vm(9)), 0);
    await until(
      'VSI 9 is granted',
      () => netlink.responses().get(vsiId(9)),
      (response) => response === 0,
    );
    assert.match(await site.show('p1'), /^ {2}trust +signed: what it says has a signature/m);
    assert.match(await site.show('p2'), /^ {2}trust +first use: it does not sign/m);
  });

  it('repeats are signed anew, acknowledged, and acted on once', async () => {
    const { switch: namespace } = site.wires;
    const before = (await site.agent.port('p1')).counters.ecp;
    const said = site.tap.read().fromStation.length;
    await run('tc', ['-n', namespace, 'qdisc', 'add', 'dev', 'p1', 'clsact']).catch(() => {}); // it may be there
    const where = ['dev', 'p1', 'egress', 'pref', '1', 'protocol', 'all'];
    await run('tc', [
      '-n',
      namespace,
      'filter',
      'add',
      ...where,
      'bpf',
      'da',
      'bytecode',
      noAcknowledgements,
    ]);
    await site.associate(2);
    const after = await until(
      'the station has said it as often as it does',
      async () => (await site.agent.port('p1')).counters.ecp,
      ({ rxRepeatCount }) => rxRepeatCount >= before.rxRepeatCount + timers.retries,
    );
    await run('tc', ['-n', namespace, 'filter', 'del', ...where]);
    assert.equal(after.rxRepeatCount, before.rxRepeatCount + timers.retries);
    assert.equal(after.rxFrameCount, before.rxFrameCount + 1);
    const requests = site.tap.read().fromStation.slice(said).filter(isRequest);
    assert.equal(requests.length, 1 + timers.retries);
    assert.equal(new Set(requests.map(sequenceOf)).size, 1);
    assert.equal(new Set(requests.map((frame) => counterOf(frame).sequence)).size, requests.length);
    assert.deepEqual(
      site.agent.story(vsiId(2)).filter((line) => line.startsWith('associate')),
      ['associate at p1: granted'],
    );
    assert.deepEqual(await site.ignored('p1'), {});
  });

  it('frames that were captured are refused and counted when they come again', async () => {
    await site.associate(3);
    const associate = site.tap.read().fromStation.findLast(isRequest)!;
    assert.deepEqual(await site.station.announce('gone', 'vm3', [mac(3)]), { granted: true });
    assert.equal((await site.agent.held('p1'))[vsiId(3)], undefined);
    const { fromStation } = site.tap.read();
    // all but the last of each kind, which is a repeat
    const last = [fromStation.findLast(isLldp), fromStation.findLast(isRequest)];
    const old = fromStation.filter(
      (frame) => (isLldp(frame) || isRequest(frame)) && isSigned(frame) && !last.includes(frame),
    );
    assert.ok(old.includes(associate));
    for (const frame of old) assert.ok(attacker.send(frame));
    await until(
      'each is counted',
      () => site.ignored('p1'),
      ({ replayed }) => replayed === old.length,
    );
    const { trust, vsis } = await site.agent.port('p1');
    assert.deepEqual([trust, vsis.map(({ vsiId }) => vsiId).toSorted()], ['signed', [vsiId(1), vsiId(2)]]);
    // nor does the bridge's own word count when it is said to the station again
    const toStation = site.tap.toStation.filter((frame) => isRequest(frame)).slice(0, -1);
    const switchEnd = site.wires.switchEnd('p1');
    const before = (await site.station.state()).counters.ignored.replayed ?? 0;
    for (const frame of toStation) assert.ok(switchEnd.send(frame));
    await until(
      'the station counts each',
      () => site.station.state(),
      ({ counters }) => counters.ignored.replayed === before + toStation.length,
    );
  });

  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    it(`a bridge that was restarted (${signal}) believes nobody else meanwhile, and goes on with its station`, async () => {
      process.kill(site.station.pid, 'SIGSTOP');
      await site.agent.stop(signal);
      const captured = site.tap.read().fromStation;
      await site.startBridge();
      const unsigned = new Peer(stationMac).lldp(freshStationEvb);
      const lldpdus = captured.filter((frame) => isLldp(frame) && isSigned(frame));
      for (const frame of [...lldpdus, unsigned, ...captured.filter(isRequest)])
        assert.ok(attacker.send(frame));
      const refused = await until(
        'all is refused',
        () => site.ignored('p1'),
        ({ 'not the neighbour': requests = 0 }) => requests >= captured.filter(isRequest).length,
      );
      assert.deepEqual([refused.replayed, refused.unsigned], [lldpdus.length, 1]);
      assert.deepEqual(
        [await site.agent.port('p1')].map(({ trust, neighbour, holder }) => [trust, neighbour, holder?.name]),
        [['pinned', null, 'h1']],
      );
      assert.match(await site.show('p1'), /^ {2}trust +pinned: a signature was verified here/m);
      process.kill(site.station.pid, 'SIGCONT');
      await site.isSigned();
      for (const n of [1, 2]) await site.associate(n);
      assert.doesNotMatch(site.agent.log().join('\n'), /released at p1/);
    });

    it(`a station that was restarted (${signal}) counts from a larger epoch, and is known at once`, async () => {
      const epoch = counterOf(site.tap.read().fromStation.findLast(isRequest)!).epoch;
      const { ignored } = (await site.agent.port('p1')).counters;
      await site.station.stop(signal);
      await site.station.start();
      await site.isSigned();
      for (const n of [1, 2]) await site.associate(n);
      assert.ok(counterOf(site.tap.read().fromStation.findLast(isRequest)!).epoch > epoch);
      assert.equal((await site.ignored('p1')).replayed, ignored.replayed);
      assert.equal((await site.station.state()).counters.ignored.replayed, undefined);
      assert.doesNotMatch(site.agent.log().join('\n'), /released at p1/);
    });
  }

  it('a port that is taken away by SIGHUP and comes back is known at once, and its station has all VSIs again', async () => {
    const path = join(site.wires.directory, 'bridge.yaml');
    const text = readFileSync(path, 'utf8');
    const { ports, ...others } = JSON.parse(text) as { readonly ports: Readonly<Record<string, object>> };
    const { ignored } = (await site.station.state()).counters;
    writeFileSync(path, JSON.stringify({ ...others, ports: { p2: ports['p2'] } }));
    await site.reload('bridge');
    writeFileSync(path, text);
    await site.reload('bridge');
    await site.isSigned();
    await until(
      'the VSIs are back',
      () => site.agent.held('p1'),
      (held) => [1, 2].every((n) => held[vsiId(n)] === 'associated'),
    );
    assert.deepEqual(await site.ignored('p1'), {});
    assert.deepEqual((await site.station.state()).counters.ignored, ignored);
  });

  it('a change of keys, by SIGHUP at both ends: nobody is refused, and the old key counts no more', async () => {
    const before = [await site.ignored('p1'), (await site.station.state()).counters.ignored];
    const logged = site.agent.log().length;
    const old = site.tap.read().fromStation.findLast(isLldp)!;
    site.setKeys({ h1: [k1, k2] });
    await site.reload('bridge');
    site.station.setKeys(k2);
    await site.reload('station');
    await site.associate(4);
    site.setKeys({ h1: k2 });
    await site.reload('bridge');
    await site.associate(5);
    assert.deepEqual([await site.ignored('p1'), (await site.station.state()).counters.ignored], before);
    assert.doesNotMatch(site.agent.log().slice(logged).join('\n'), /released at p1/);
    await site.isSigned();
    assert.ok(attacker.send(old));
    await until(
      'the old key is unknown',
      () => site.ignored('p1'),
      (now) => now['bad signature'] === (before[0]!['bad signature'] ?? 0) + 1,
    );
  });

  it('a file of keys that is wrong changes nothing, and is one line without a key', async () => {
    site.setKeys({ h1: `${k2}0` });
    process.kill(site.agent.pid, 'SIGHUP');
    const line = await until(
      'the bridge says what is wrong',
      () => site.agent.log().find((each) => each.includes('nothing was changed')),
      (found) => found !== undefined,
    );
    assert.match(line!, /nothing was changed: stationKeys: \S+station-keys: h1: /);
    site.station.setKeys(k1.slice(1));
    process.kill(site.station.pid, 'SIGHUP');
    await until('the station says it too', () => site.station.log().includes('line 1 is no key'), Boolean);
    await site.associate(6);
    site.setKeys({ h1: k2 });
    site.station.setKeys(k2);
  });

  it('a configuration that is refused for something else leaves the keys as they were', async () => {
    site.setKeys({ h1: k1 });
    const path = join(site.wires.directory, 'bridge.yaml');
    const text = readFileSync(path, 'utf8');
    const config = JSON.parse(text) as { readonly ports: Readonly<Record<string, object>> };
    const lo = { kind: 'network', peerDelivery: true }; // which is no veth
    writeFileSync(path, JSON.stringify({ ...config, ports: { ...config.ports, lo } }));
    process.kill(site.agent.pid, 'SIGHUP');
    await until(
      'the bridge refuses',
      () => /nothing was changed: .*\blo\b/.test(site.agent.log().join('\n')),
      Boolean,
    );
    site.station.setKeys(k1);
    site.station.configure({ qemu: { directory: '/none' } });
    process.kill(site.station.pid, 'SIGHUP');
    await until(
      'the station refuses',
      () => /nothing was changed: .*\/none/.test(site.station.log()),
      Boolean,
    );
    await site.associate(7);
    writeFileSync(path, text);
    site.station.configure({});
    site.setKeys({ h1: k2 });
    site.station.setKeys(k2);
  });

  it('an unsigned station at the port of one that signs is refused until the administrator lets it in', async () => {
    await site.station.stop();
    const before = (await site.ignored('p1')).unsigned ?? 0;
    const starting = site.wires.station('p1', { groupIds: false });
    await until(
      'it is refused',
      () => site.ignored('p1'),
      ({ unsigned = 0 }) => unsigned > before,
    );
    await site.reload('bridge'); // which speaks LLDP then, so that lldpad can ask
    const intruder = await starting;
    const link = site.wires.netlink('p1', intruder);
    link.request('associate', vm(8));
    await until(
      'its request is refused too',
      () => site.ignored('p1'),
      ({ 'not the neighbour': requests = 0 }) => requests > 0,
    );
    const { trust, neighbour, vsis } = await site.agent.port('p1');
    assert.deepEqual([trust, neighbour], ['pinned', null]);
    assert.deepEqual(vsis.map(({ vsiId }) => vsiId).toSorted(), [1, 2, 4, 5, 6, 7].map(vsiId));
    assert.equal((await site.agent.port('p2')).trust, 'first use');

    const config = join(site.wires.directory, 'bridge.yaml');
    for (const order of ['unpin', 'forget'])
      assert.equal((await hairpin(['bridge', order, 'p1', '--config', config])).code, 0);
    await site.trusts('p1', 'first use');
    // and who signs has the port at once
    await site.station.start();
    await site.isSigned();
    await site.wires.stop(intruder);
  });

  it('lldpad at the other port has lost nothing by all this', async () => {
    assert.equal(netlink.responses().get(vsiId(9)), 0);
    assert.equal(await site.agent.placeOf('p2', vsiId(9)), 'active');
  });
});

describe("signed control: the manager's keys", () => {
  let site: Site;
  const kept = () => readFileSync(join(site.wires.directory, 'state', 'station-keys.json'), 'utf8');

  before(async () => {
    site = await Site.make('manager');
  });
  after(() => site?.[Symbol.asyncDispose]());

  it('are changed in its file, and known to the bridge by SIGHUP or half a minute later', async () => {
    await site.station.start();
    await site.isSigned();
    site.setKeys({ h1: [k1, k2] });
    await site.reload('bridge');
    await until('the bridge has fetched them', () => kept().includes(k2), Boolean);
    site.station.setKeys(k2);
    await site.reload('station');
    await site.associate(1);
    site.setKeys({ h1: k2 });
    await until('the bridge has asked by itself', () => !kept().includes(k1), Boolean, 100, 40_000);
    await site.associate(2);
    assert.deepEqual(await site.ignored('p1'), {});
    assert.deepEqual((await site.station.state()).counters.ignored, {});
  });

  it('are known to a bridge that starts while the manager is away', async () => {
    await site.wires.processes.stop('manager');
    await site.agent.stop();
    await site.startBridge();
    await site.isSigned();
    assert.deepEqual(Object.keys(await site.agent.held('p1')).toSorted(), [vsiId(1), vsiId(2)]);
  });

  it('stand in no log', () => {
    const logs = [...site.agent.log(), site.station.log()].join('\n');
    for (const key of [k1, k2]) assert.ok(!logs.includes(key));
  });
});
