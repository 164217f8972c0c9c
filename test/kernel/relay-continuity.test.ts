import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Policy } from '../../src/domain/port-profile.ts';
import { ethernet, plain } from '../kit/relay/frames.ts';
import { at, idOf, macOf, only, state, station, type VsiSpec } from '../kit/relay/states.ts';
import { KernelSwitch } from '../kit/kernel/relay-harness.ts';

const [a, b] = [macOf(1), macOf(2)];
const ports = { s1: station, s2: station, s3: station };
const pace = { count: 8000, intervalNs: 100_000 };

describe('a stream through the eBPF relay', () => {
  let kernel: KernelSwitch;
  before(async () => {
    kernel = await KernelSwitch.open(['s1', 's2', 's3']);
  });
  after(() => kernel.close());

  const set = (vsis: Record<number, VsiSpec>) => kernel.apply(state(ports, vsis));

  it('loses nothing while the driver is opened again and replaces the program', async () => {
    set({ 1: { active: at('s1') }, 2: { active: at('s2') } });
    const passed = () => kernel.relay.counters().vsis.get(idOf(1))!.get('s1')!.fromVm.frames;
    let midway = 0;
    const { out } = await kernel.stream('s1', plain(b, a, ''), pace, () => {
      const before = passed();
      kernel.relay.close();
      kernel.reopen();
      if (before > 0 && passed() < pace.count) midway++;
    });
    assert.ok(midway > 0, 'it was never opened while the stream flowed');
    assert.deepEqual([...out.keys()], ['s2']);
    assertComplete(out.get('s2')!);
    assert.equal(passed(), pace.count);
  });

  it('to a VM that migrates to and fro loses nothing, and nothing of it comes twice', async () => {
    const places = [
      { active: at('s1') },
      { active: at('s1'), armed: at('s2') },
      { active: at('s2'), released: at('s1') },
      { active: at('s2') },
      { active: at('s2'), armed: at('s1') },
      { active: at('s1'), released: at('s2') },
    ];
    set({ 1: places[0]!, 2: { active: at('s3') } });
    let turns = 0;
    const { out } = await kernel.stream('s3', plain(a, b, ''), pace, (turn) => {
      turns = turn;
      set({ 1: places[turn % places.length]!, 2: { active: at('s3') } });
    });
    assert.ok(turns > 100, `only ${turns} turns`);
    const [first, second] = [numbers(out.get('s1') ?? []), numbers(out.get('s2') ?? [])];
    assert.ok(first.length > 0 && second.length > 0);
    assert.deepEqual(
      [...first, ...second].sort((a, b) => a - b),
      Array.from({ length: pace.count }, (_, i) => i),
    );
  });

  it('from a VM is dropped and counted where it may not send, and only there', async () => {
    set({ 1: { active: at('s1'), armed: at('s2') }, 2: { active: at('s3') } });
    const tally = () => kernel.relay.counters().vsis.get(idOf(1))!.get('s2')!;
    let flipped = false;
    const { out } = await kernel.stream('s2', plain(b, a, ''), pace, () => {
      if (flipped || tally().dropped.armed < 1000) return;
      flipped = true;
      set({ 1: { active: at('s2'), released: at('s1') }, 2: { active: at('s3') } });
    });
    const passed = numbers(out.get('s3') ?? []);
    const { fromVm, dropped } = tally();
    assert.ok(flipped && passed.length > 0);
    assert.equal(passed.length, fromVm.frames);
    assert.equal(fromVm.frames + dropped.armed, pace.count);
    assert.equal(passed[0], dropped.armed); // one flip: all before it dropped, all after it passed
  });

  it('from a VM that turns without having stopped loses nothing for 100 ms', async () => {
    set({ 1: { active: at('s1'), armed: at('s2') }, 2: { active: at('s3') } });
    kernel.now = () => process.hrtime.bigint() + 10_000_000_000n; // it takes more than a busy machine's 100 ms to send all
    let flipped = false;
    const { out } = await kernel.stream('s1', plain(b, a, ''), pace, () => {
      if (flipped || kernel.relay.countersOf(idOf(1)).get('s1')!.fromVm.frames < 1000) return;
      flipped = true;
      set({ 1: { active: at('s2'), released: at('s1') }, 2: { active: at('s3') } });
    });
    kernel.now = () => process.hrtime.bigint();
    assert.ok(flipped);
    assertComplete(out.get('s3')!);
  });

  it('loses nothing while policies change that all allow it', async () => {
    const policies: Partial<Policy>[] = [
      {},
      { accessList: only('deny', { etherType: 0x0800 }) },
      { accessList: only('allow', { etherType: 0x88b5 }) },
      { rate: { 'from-vm': { max: 10 ** 9, burst: 10 ** 6 } } },
    ];
    set({ 1: { active: at('s1') }, 2: { active: at('s2') } });
    let turns = 0;
    const { out } = await kernel.stream('s1', plain(b, a, ''), pace, (turn) => {
      turns = turn;
      set({ 1: { active: at('s1'), policy: policies[turn % policies.length]! }, 2: { active: at('s2') } });
    });
    assert.ok(turns > 100, `only ${turns} turns`);
    assertComplete(out.get('s2')!);
  });

  it('is not touched when hundreds of other VSIs come and go', async () => {
    const others = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [i + 10, { active: at('s3') }]));
    const own = { 1: { active: at('s1') }, 2: { active: at('s2') } };
    set(own);
    const { out } = await kernel.stream('s1', plain(b, a, ''), pace, (turn) =>
      set(turn % 2 ? own : { ...own, ...others }),
    );
    assertComplete(out.get('s2')!);
  });

  for (const direction of ['from-vm', 'to-vm'] as const)
    it(`is held to its rate ${direction}, within 5 %, when it comes five times as fast`, async () => {
      const max = 8_000_000;
      const size = 1000;
      const burst = 500_000; // 500 ms: longer than a busy machine lets the sender wait
      const rate = { rate: { [direction]: { max, burst } } };
      set({
        1: { active: at('s1'), ...(direction === 'from-vm' && { policy: rate }) },
        2: { active: at('s2'), ...(direction === 'to-vm' && { policy: rate }) },
      });
      const frame = ethernet(b, a, 0x88b5, new Uint8Array(size - 14));
      const count = 10_000;
      const intervalNs = (size * 8e9) / (5 * max);
      const { out, ns } = await kernel.stream('s1', frame, { count, intervalNs }, () => {});
      const octets = out.get('s2')!.length * size - burst;
      const measured = (octets * 8e9) / ns;
      assert.ok(Math.abs(measured / max - 1) < 0.05, `${measured} bit/s instead of ${max}`);
    });
});

function numbers(frames: Uint8Array[]): number[] {
  return frames.map((frame) => new DataView(frame.buffer, frame.byteOffset).getUint32(14));
}

/** Every frame, once, in order. */
function assertComplete(frames: Uint8Array[]): void {
  assert.deepEqual(
    numbers(frames),
    Array.from({ length: pace.count }, (_, i) => i),
  );
}
