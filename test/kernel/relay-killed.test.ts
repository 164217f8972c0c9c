import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it, mock } from 'node:test';
import { BpfMap } from '../../src/linux/bpf/maps.ts';
import { run } from '../../src/linux/run.ts';
import { Interfaces } from '../../src/relay/ebpf/memory/interfaces.ts';
import { PortTable } from '../../src/relay/ebpf/tables/port-table.ts';
import { Slot } from '../../src/relay/ebpf/memory/slot.ts';
import { VsiTable } from '../../src/relay/ebpf/tables/vsi-table.ts';
import type { RelayPort, RelayState } from '../../src/relay/contract/relay.ts';
import { ethernet, ipv4, plain } from '../kit/relay/frames.ts';
import { at, idOf, macOf, network, state, station, type VsiSpec } from '../kit/relay/states.ts';
import { KernelSwitch } from '../kit/kernel/relay-harness.ts';

const [a, b] = [macOf(1), macOf(2)];
const ports = { s1: station, s2: station };
const slow = { rate: { 'from-vm': { max: 8000, burst: 100 } }, guaranteed: null } as const;
const shaped: RelayPort = { kind: 'station', reflectiveRelay: true, shaper: 8_000_000 };

/** As after a SIGKILL: of a change nothing is done from one call on, and nothing undone; another process takes over. */
describe('an eBPF relay whose process ended in the middle of a change', () => {
  let kernel: KernelSwitch;
  before(async () => {
    kernel = await KernelSwitch.open(['s1', 's2', 's3']);
  });
  beforeEach(() => kernel.apply(state({})));
  afterEach(() => mock.restoreAll());
  after(() => kernel.close());

  function killed(desired: RelayState, kill: (dead: () => never) => void): void {
    class Killed extends Error {}
    kill(() => {
      throw new Killed();
    });
    mock.method(DisposableStack.prototype, 'dispose', () => {});
    assert.throws(() => kernel.apply(desired), Killed);
    mock.restoreAll();
    kernel.relay.close();
    kernel.reopen();
  }

  it('lets pass the addresses that it holds, and after another change those of this one', async () => {
    const guards = { address: true, dhcpServer: false, routerAdvertisement: false, control: false };
    const list = (net: number) => [1, 2, 3, 4, 5, 6].map((n) => `10.0.${net}.${n}`);
    const [old, now] = [list(0), list(1)];
    const having = (ips: readonly string[]) =>
      state(ports, { 1: { active: at('s1'), ips, policy: { guards } }, 2: { active: at('s2') } });
    const passing = async () => {
      const passed: string[] = [];
      for (const ip of [...old, ...now]) {
        const out = await kernel.exchange('s1', ethernet(b, a, 0x0800, ipv4(ip, '10.0.0.9')));
        if (out.has('s2')) passed.push(ip);
      }
      return passed;
    };
    kernel.apply(having(old));
    killed(having(now), (dead) => mock.method(Slot.prototype, 'ips', dead, { setter: true }));
    const { ips } = kernel.relay.held().vsis.get(idOf(1))!;
    assert.equal(ips.length, old.length);
    assert.equal(ips[0], old[0]);
    assert.deepEqual(await passing(), [...ips].sort());
    kernel.apply(having(now));
    assert.deepEqual(kernel.relay.held(), having(now));
    assert.deepEqual(await passing(), now);
  });

  it('keeps the order of addresses when only the middle one had gone', () => {
    const having = (...ips: string[]) => state(ports, { 1: { active: at('s1'), ips } });
    kernel.apply(having('10.0.0.1', '10.0.0.2', '10.0.0.3'));
    killed(having('10.0.0.1'), (dead) =>
      mock.method(BpfMap.prototype, 'delete').mock.mockImplementationOnce(dead, 1),
    );
    assert.deepEqual(kernel.relay.held(), having('10.0.0.1', '10.0.0.3'));
    const longer = having('10.0.0.1', '10.0.0.3', '10.0.0.4');
    kernel.apply(longer);
    assert.deepEqual(kernel.relay.held(), longer);
  });

  for (const [when, kill] of [
    [
      'before its VSIs are looked at',
      (dead: () => never) => mock.method(VsiTable.prototype, 'prepare', dead),
    ],
    ['before the ports are', (dead: () => never) => mock.method(PortTable.prototype, 'prepare', dead)],
  ] as const)
    it(`limits a tenant that it was told of ${when}`, async () => {
      const vsis: Record<number, VsiSpec> = { 1: { active: at('s1') }, 2: { active: at('s2') } };
      kernel.apply(state(ports, vsis));
      const desired = state(ports, vsis, { red: slow });
      killed(desired, kill);
      assert.deepEqual(kernel.relay.held().tenants, desired.tenants);
      kernel.apply(desired, new Set());
      const frames = Array.from({ length: 20 }, () => plain(b, a, 'x'.repeat(1000)));
      assert.equal((await kernel.exchange('s1', ...frames)).get('s2')?.length, 1);
    });

  it('guarantees what it was told of before the ports were shaped', async () => {
    const guaranteed = (rate: number) => ({ red: { rate: {}, guaranteed: rate } });
    kernel.apply(state({ s1: shaped }, {}, guaranteed(1_000_000)));
    const desired = state({ s1: shaped }, {}, guaranteed(2_000_000));
    killed(desired, (dead) => mock.method(PortTable.prototype, 'prepare', dead));
    assert.deepEqual(kernel.relay.held(), desired);
    assert.match(await tc('class', 's1'), /rate 2Mbit/);
    assert.doesNotMatch(await tc('class', 's1'), /rate 1Mbit/);
  });

  it('shapes no port that it does not hold to be shaped', async () => {
    kernel.apply(state({ s1: station }));
    killed(state({ s1: shaped }), (dead) => mock.method(VsiTable.prototype, 'prepare', dead));
    assert.deepEqual(kernel.relay.held(), state({ s1: station }));
    assert.doesNotMatch(await tc('qdisc', 's1'), /htb/);
  });

  for (const [when, kill] of [
    ['before the new one is bound', (dead: () => never) => mock.method(Interfaces.prototype, 'set', dead)],
    ['before the old one goes', (dead: () => never) => mock.method(PortTable.prototype, 'isStation', dead)],
  ] as const)
    it(`has one port of each name, though one became another kind of port, ${when}`, () => {
      const other = state({ s1: network(null, 10), s2: station });
      kernel.apply(state(ports, { 1: { active: at('s1') } }));
      killed(other, kill);
      kernel.apply(other);
      assert.deepEqual(kernel.relay.held(), other);
      kernel.apply(state({}));
      kernel.relay.close();
      kernel.reopen();
      assert.deepEqual(kernel.relay.held(), state({}));
    });

  const tc = (what: 'qdisc' | 'class', port: string) =>
    run('tc', ['-n', kernel.namespace, what, 'show', 'dev', port]);
});
