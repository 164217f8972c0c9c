import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as fc from 'fast-check';
import { unguarded } from '../../src/domain/port-profile.ts';
import { interfaceIndex } from '../../src/linux/net/interfaces.ts';
import { BpfMap, MappedArray } from '../../src/linux/bpf/maps.ts';
import { BpfObject } from '../../src/linux/bpf/object.ts';
import { ip, run } from '../../src/linux/run.ts';
import { attachClsact, attachProgram, detachProgram, hasIngress } from '../../src/linux/bpf/tc-program.ts';
import { EbpfRelay } from '../../src/relay/ebpf/relay.ts';
import { RelayError, type RelayPort } from '../../src/relay/contract/relay.ts';
import { anyState } from '../kit/relay/arbitrary.ts';
import { broadcast, discovery, ethernet, gratuitousArp, ipv6, plain } from '../kit/relay/frames.ts';
import { at, idOf, macOf, network, state, station } from '../kit/relay/states.ts';
import { KernelSwitch } from '../kit/kernel/relay-harness.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const objectFile = join(root, 'bpf/relay.bpf.o');
const [a, b] = [macOf(1), macOf(2)];
const allNodes = '33:33:00:00:00:01';
const ports = { s1: station, s2: station, s3: station };
const names = ['s1', 's2', 's3', 'n1', 'n2', 'm1'];

/** One line, of the relay's own. */
function refusal(message: RegExp): (error: unknown) => boolean {
  return (error) =>
    error instanceof RelayError && message.test(error.message) && !error.message.includes('\n');
}

describe('the eBPF objects', () => {
  it('are what their sources compile to', () => {
    const directory = mkdtempSync(join(tmpdir(), 'hp-build-'));
    try {
      execFileSync(join(root, 'scripts/build-bpf'), [directory]);
      for (const object of ['relay', 'relay-record', 'bench', 'vm-filter', 'uplink-filter'].map(
        (name) => `${name}.bpf.o`,
      ))
        assert.ok(
          readFileSync(join(directory, object)).equals(readFileSync(join(root, 'bpf', object))),
          `${object}: run scripts/build-bpf and commit the result`,
        );
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

describe('the life of an eBPF relay', () => {
  let kernel: KernelSwitch;
  before(async () => {
    kernel = await KernelSwitch.open(names);
  });
  beforeEach(() => kernel.apply(state({})));
  after(() => kernel.close());

  it('is adopted by the next process with its state and counters, and can be changed by it', async () => {
    const desired = state(
      { ...ports, n1: network(null, 10) },
      { 1: { active: at('s1'), label: 'kept' }, 2: { active: at('s2', 7), armed: at('s3') } },
    );
    kernel.apply(desired);
    await kernel.exchange('s1', plain(b, a, 'before'));
    const counted = kernel.relay.counters();
    kernel.relay.close();
    const out = await kernel.exchange('s1', plain(b, a, 'nobody at home'));
    assert.deepEqual([...out.keys()], ['s2']);
    kernel.reopen();
    assert.deepEqual(kernel.relay.held(), desired);
    const frames = kernel.relay.counters().vsis.get(idOf(1))!.get('s1')!.fromVm.frames;
    assert.equal(frames, counted.vsis.get(idOf(1))!.get('s1')!.fromVm.frames + 1);
    const changed = state(ports, { 1: { active: at('s1') }, 2: { active: at('s3'), released: at('s2', 7) } });
    kernel.apply(changed);
    assert.deepEqual(kernel.relay.held(), changed);
    const after = await kernel.exchange('s1', plain(broadcast, a, 'after'));
    assert.deepEqual([...after.keys()], ['s3']);
  });

  it('may be closed before those who watch its drops stop', () => {
    const stop = kernel.relay.watchDrops(() => {});
    kernel.relay.close();
    stop(); // the memory it shares with the kernel is gone
    kernel.reopen();
  });

  it('looks only at the VSIs that are said to be changed, unless a port changes', () => {
    kernel.apply(state(ports, { 1: { active: at('s1') }, 2: { active: at('s2') } }));
    const changed = state(ports, { 2: { active: at('s3') }, 3: { active: at('s1') } });
    kernel.apply(changed, new Set([idOf(1), idOf(2), idOf(3)]));
    assert.deepEqual(kernel.relay.held(), changed);
    const more = state(ports, { 3: { active: at('s2') }, 4: { active: at('s1') } });
    kernel.apply(more, new Set([idOf(4)]));
    assert.deepEqual(kernel.relay.held().vsis, new Map([...changed.vsis, [idOf(4), more.vsis.get(idOf(4))]]));
    const fewer = state({ s1: station, s2: station }, { 3: { active: at('s2') }, 4: { active: at('s1') } });
    kernel.apply(fewer, new Set());
    assert.deepEqual(kernel.relay.held(), fewer);
  });

  it('is adopted in any state', () => {
    fc.assert(
      fc.property(
        anyState(kernel.relay.capabilities),
        anyState(kernel.relay.capabilities),
        (first, second) => {
          kernel.apply(first);
          kernel.relay.close();
          kernel.reopen();
          assert.deepEqual(kernel.relay.held(), first);
          kernel.apply(second);
          assert.deepEqual(kernel.relay.held(), second);
        },
      ),
      { numRuns: 5 },
    );
  });

  it('outlives an interface that comes back', async () => {
    kernel.apply(state(ports, { 1: { active: at('s1') }, 2: { active: at('s2') } }));
    kernel.relay.close();
    await run('ip', ['-n', kernel.namespace, 'link', 'del', 's3']);
    kernel.reopen();
    assert.ok(kernel.relay.held().ports.has('s3'));
    assert.deepEqual([...(await kernel.exchangeAmong(['s1', 's2'], 's1', plain(b, a, 'x'))).keys()], ['s2']);
    kernel.relay.close();
    await kernel.addLink('s3');
    kernel.reopen();
    kernel.apply(state(ports, { 1: { active: at('s3') }, 2: { active: at('s2') } }));
    assert.deepEqual([...(await kernel.exchange('s3', plain(b, a, 'x'))).keys()], ['s2']);
  });

  it('binds an interface that is made anew while it runs', async () => {
    kernel.apply(state(ports, { 1: { active: at('s3') }, 2: { active: at('s2') } }));
    await run('ip', ['-n', kernel.namespace, 'link', 'del', 's3']);
    await kernel.addLink('s3');
    // the kernel's own stack has it until then
    assert.deepEqual([...(await kernel.exchange('s3', plain(b, a, 'x'))).keys()], ['host']);
    kernel.inside(() => kernel.relay.rebind('s3'));
    assert.deepEqual([...(await kernel.exchange('s3', plain(b, a, 'x'))).keys()], ['s2']);
    assert.deepEqual([...(await kernel.exchange('s2', plain(a, b, 'x'))).keys()], ['s3']);
  });

  for (const how of ['while it runs', 'between two processes'] as const)
    it(`forgets who was behind an interface that is made anew ${how}, neighbours and routers`, async () => {
      const guarded = { policy: { guards: { ...unguarded, address: true } } };
      kernel.apply(state({ ...ports, n1: network(10) }, { 1: { active: at('s1'), ...guarded } }));
      const [outside, router] = [macOf(9), 'fe80::1'];
      const as = ethernet(outside, a, 0x86dd, ipv6(router, 'ff02::fb'));
      const known = () => kernel.relay.counters().ports.get('n1')!.dropped['same-port'];
      await kernel.exchange('n1', ethernet(allNodes, outside, 0x86dd, discovery(router, 134)));
      await kernel.exchange('n1', plain(outside, macOf(8), 'to a neighbour'));
      assert.equal(known(), 1);
      assert.deepEqual([...(await kernel.exchange('s1', as)).keys()], []);
      await kernel.setMtu('n1', 9000); // the interface is the same
      assert.deepEqual([...(await kernel.exchange('s1', as)).keys()], []);
      if (how === 'between two processes') kernel.relay.close();
      await run('ip', ['-n', kernel.namespace, 'link', 'del', 'n1']);
      await kernel.addLink('n1');
      if (how === 'between two processes') kernel.reopen();
      else kernel.inside(() => kernel.relay.rebind('n1'));
      assert.deepEqual([...(await kernel.exchange('s1', as)).keys()], ['n1']);
      await kernel.exchange('n1', plain(outside, macOf(8), 'to nobody'));
      assert.equal(known(), 1);
    });

  it('holds no link-local address of a VSI that is gone, nor more than four of one', async () => {
    const policy = { guards: { ...unguarded, address: true } };
    const desired = state(ports, { 1: { active: at('s1'), policy }, 2: { active: at('s2') } });
    kernel.apply(desired);
    assert.equal(claims(), 0);
    const addresses = Array.from({ length: 50 }, (_, i) => `fe80::${i + 1}:0:0:1`);
    const sent = addresses.map((address) => ethernet(b, a, 0x86dd, ipv6(address, 'ff02::fb')));
    assert.equal((await kernel.exchange('s1', ...sent)).get('s2')?.length, 50);
    assert.equal(claims(), 4);
    kernel.relay.close();
    kernel.reopen();
    assert.equal(claims(), 4);
    kernel.apply(state(ports, { 2: { active: at('s2') } }));
    assert.equal(claims(), 0);
  });

  for (const how of ['while it runs', 'between two processes'] as const)
    it(`finds interfaces again that exchange their names ${how}`, async () => {
      const exchangeNames = () =>
        ip(kernel.namespace, [
          'link set s1 name hp-x',
          'link set s2 name s1',
          'link set m1 name s2',
          'link set hp-x name m1',
        ]);
      const session = { kind: 'mirror', session: 'probe' } as const;
      kernel.apply(state({ s1: station, s2: station, m1: session }, { 1: { active: at('s1') } }));
      const all = state(
        { s1: station, s2: station, m1: session },
        { 1: { active: at('s1') }, 2: { active: at('s2') } },
      );
      for (let turn = 0; turn < 3; turn++) {
        if (how === 'between two processes') kernel.relay.close();
        await exchangeNames();
        if (how === 'between two processes') kernel.reopen();
        else kernel.inside(() => kernel.relay.rebind('s1'));
        kernel.apply(all);
        assert.equal(programs(), 3);
        assert.equal(pins(), 4);
        const [s1, s2] = [
          ['s2', 'm1'],
          ['m1', 's1'],
          ['s1', 's2'],
        ][turn] as [string, string];
        assert.deepEqual([...(await kernel.exchange(s1, plain(b, a, 'x'))).keys()], [s2]);
        assert.deepEqual([...(await kernel.exchange(s2, plain(a, b, 'x'))).keys()], [s1]);
      }
    });

  it('shows no data frame to the protocol stack of the switch', async () => {
    kernel.apply(state(ports, { 1: { active: at('s1') } }));
    await run('ip', ['-n', kernel.namespace, 'address', 'add', '10.0.0.254/24', 'dev', 's1']);
    const request = gratuitousArp(a, '10.0.0.1', '10.0.0.254');
    assert.deepEqual([...(await kernel.exchange('s1', request))], []);
    await run('ip', ['-n', kernel.namespace, 'address', 'flush', 'dev', 's1']);
  });

  it('passes jumbo frames', async () => {
    kernel.apply(state(ports, { 1: { active: at('s1', 7) }, 2: { active: at('s2') } }));
    const jumbo = ethernet(b, a, 0x88b5, new Uint8Array(9000).fill(0xaa), 7);
    const out = await kernel.exchange('s1', jumbo);
    assert.equal(out.get('s2')?.[0]?.length, 9014);
  });

  it('holds a port whose interface is missing, and binds it when it comes', async () => {
    const desired = state(
      {
        ...ports,
        late: { kind: 'station', reflectiveRelay: true, shaper: 1_000_000_000 },
        m2: { kind: 'mirror', session: 'probe' },
      },
      { 1: { active: at('late') }, 2: { active: at('s2') } },
    );
    kernel.apply(desired);
    assert.deepEqual(kernel.relay.held(), desired);
    kernel.relay.close();
    kernel.reopen();
    assert.deepEqual(kernel.relay.held(), desired);
    assert.deepEqual([...(await kernel.exchange('s2', plain(a, b, 'nobody there'))).keys()], []);
    await kernel.addLink('late');
    await kernel.addLink('m2');
    for (const name of ['late', 'm2']) kernel.inside(() => kernel.relay.rebind(name));
    assert.deepEqual([...(await kernel.exchange('late', plain(b, a, 'x'))).keys()], ['s2']);
    assert.deepEqual([...(await kernel.exchange('s2', plain(a, b, 'x'))).keys()], ['late']);
    assert.match(await run('tc', ['-n', kernel.namespace, 'qdisc', 'show', 'dev', 'late']), /htb/);
    kernel.apply(state({}));
    assert.equal(programs(), 0);
    assert.equal(programs('late'), 0);
    for (const name of ['late', 'm2']) await ip(kernel.namespace, [`link del ${name}`]);
  });

  it('does not bind an interface that came with a program of somebody else', async () => {
    kernel.apply(state({ ...ports, late: station }));
    await kernel.addLink('late');
    const directory = join(mkdtempSync(join(tmpdir(), 'hp-relay-')), 'pins');
    const other = kernel.inside(() => EbpfRelay.open(directory, (error) => assert.fail(String(error))));
    try {
      kernel.inside(() => other.apply(state({ late: station })));
      assert.throws(() => kernel.inside(() => kernel.relay.rebind('late')), refusal(/port late: in use/));
      kernel.inside(() => other.destroy());
      kernel.inside(() => kernel.relay.rebind('late'));
      assert.ok(kernel.inside(() => hasIngress(interfaceIndex('late'))));
    } finally {
      rmSync(join(directory, '..'), { recursive: true });
      kernel.apply(state({}));
      await ip(kernel.namespace, ['link del late']);
    }
  });

  it('refuses an interface that is in use, and attaches to none of the others', async () => {
    kernel.apply(state({ s1: station }));
    const directory = join(mkdtempSync(join(tmpdir(), 'hp-relay-')), 'pins');
    const other = kernel.inside(() => EbpfRelay.open(directory, (error) => assert.fail(String(error))));
    try {
      assert.throws(
        () => kernel.inside(() => other.apply(state({ s2: station, s1: station }))),
        refusal(/port s1: in use/),
      );
      assert.equal(programs(), 1);
      assert.deepEqual(other.held(), state({}));
    } finally {
      kernel.inside(() => other.destroy());
      rmSync(join(directory, '..'), { recursive: true });
    }
  });

  it('stays on a port on which another program cannot take its place', () => {
    kernel.apply(state({ s1: station }));
    kernel.inside(() => {
      const ifindex = interfaceIndex('s1');
      const pin = join(kernel.directory, `ingress-${ifindex}`);
      assert.throws(
        () => attachProgram({ hook: 'ingress', ifindex, pin }, -1, 's1'),
        /TCX link on s1: EBADF/,
      );
    });
    assert.equal(programs(), 1);
    assert.equal(pins(), 1);
  });

  it('refuses to deliver to a peer that the kernel would not hand frames to', () => {
    const peer: RelayPort = { kind: 'station', reflectiveRelay: true, peerDelivery: true };
    assert.throws(
      () => kernel.apply(state({ s1: peer })),
      refusal(/s1: .* the peer of its veth is in the same namespace;/),
    );
    assert.throws(() => kernel.apply(state({ lo: peer })), refusal(/lo: .* is no veth;/));
    assert.equal(programs('lo'), 0);
    kernel.apply(state({ s1: station }));
    assert.throws(() => kernel.apply(state({ s1: peer })), refusal(/same namespace/));
    assert.deepEqual(kernel.relay.held(), state({ s1: station }));
  });

  it('leaves alone a clsact qdisc that was there before', async () => {
    const tc = (...args: string[]) => run('tc', ['-n', kernel.namespace, 'qdisc', ...args]);
    await tc('add', 'dev', 's1', 'clsact');
    kernel.apply(state({ s1: station, s2: station }));
    kernel.apply(state({}));
    assert.match(await tc('show', 'dev', 's1'), /clsact/);
    assert.doesNotMatch(await tc('show', 'dev', 's2'), /clsact/);
    assert.equal(programs(), 0);
    await tc('del', 'dev', 's1', 'clsact');
  });

  it('can be put on a port by a clsact qdisc, as before Linux 6.6, and taken off again', async () => {
    const object = BpfObject.load(objectFile, kernel.directory);
    try {
      kernel.inside(() => {
        const it = { hook: 'ingress', ifindex: interfaceIndex('s2'), pin: '/nowhere' } as const;
        const program = object.programFd('hp_relay');
        assert.equal(attachClsact(it, program, 's2'), true);
        assert.equal(attachClsact(it, program, 's2'), false);
        assert.ok(hasIngress(it.ifindex));
        detachProgram(it, true);
        assert.ok(!hasIngress(it.ifindex));
      });
      assert.doesNotMatch(await run('tc', ['-n', kernel.namespace, 'qdisc', 'show', 'dev', 's2']), /clsact/);
    } finally {
      object.close();
    }
  });

  it('refuses pins of another layout, and does not touch them', () => {
    kernel.relay.close();
    const setLayout = (version: bigint) => {
      const object = BpfObject.load(objectFile, kernel.directory);
      const array = new MappedArray(object.mapFd('hp_settings'), 32, 'hp_settings');
      const before = array.words()[0]!;
      array.words()[0] = version;
      array.unmap();
      object.close();
      return before;
    };
    const layout = setLayout(99n);
    try {
      assert.throws(() => kernel.reopen(), refusal(/layout 99, this program layout 4/));
    } finally {
      assert.equal(setLayout(layout), 99n);
      kernel.reopen();
    }
  });

  it('says in a line that root is needed, and leaves nothing', () => {
    const directory = mkdtempSync(join(tmpdir(), 'hp-relay-'));
    const script = `
      import { EbpfRelay } from '${join(root, 'src/relay/ebpf/relay.ts')}';
      try { EbpfRelay.open('${join(directory, 'pins')}', console.error); } catch (error) { console.log(error.name + ': ' + error.message); }`;
    const node = [process.execPath, '--input-type=module-typescript', '-e', script];
    const result = spawnSync('setpriv', ['--bounding-set=-all', '--inh-caps=-all', ...node], {
      encoding: 'utf8',
    });
    assert.match(result.stdout, /^RelayError: eBPF relay in .*root is needed\n$/, result.stderr);
    assert.equal(existsSync(join(directory, 'pins')), false);
    rmSync(directory, { recursive: true });
  });

  it('is gone after destroy: no program, no qdisc, no pin, no mount', async () => {
    kernel.apply(state(ports, { 1: { active: at('s1') } }));
    assert.equal(programs(), 3);
    assert.equal(statfsSync(kernel.directory).type, 0xcafe4a11);
    kernel.inside(() => kernel.relay.destroy());
    assert.equal(programs(), 0);
    assert.doesNotMatch(await run('tc', ['-n', kernel.namespace, 'qdisc', 'show']), /clsact/);
    assert.equal(existsSync(kernel.directory), false);
    kernel.reopen();
    assert.deepEqual(kernel.relay.held(), state({}));
  });

  /** How many programs are pinned. */
  /** Link-local addresses that the kernel holds for somebody. */
  function claims(): number {
    const object = BpfObject.load(objectFile, kernel.directory);
    try {
      return new BpfMap(object.mapFd('hp_claims'), 'hp_claims', 20, 8).keys().length;
    } finally {
      object.close();
    }
  }

  function pins(): number {
    return readdirSync(kernel.directory).filter((pin) => /^(in|e)gress-/.test(pin)).length;
  }

  /** How many of the ports have a program at tc ingress. */
  function programs(...others: string[]): number {
    return kernel.inside(
      () => [...names, ...others].filter((name) => hasIngress(interfaceIndex(name))).length,
    );
  }
});
