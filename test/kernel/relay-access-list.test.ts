import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as fc from 'fast-check';
import { macToBytes, parseMac } from '../../src/domain/mac-address.ts';
import { directions, type AccessList, type Direction } from '../../src/domain/port-profile.ts';
import { interfaceIndex } from '../../src/linux/net/interfaces.ts';
import { TestRun } from '../../src/linux/bpf/test-run.ts';
import { BpfObject } from '../../src/linux/bpf/object.ts';
import { judge } from '../../src/relay/reference/access-list.ts';
import { parseFrame } from '../../src/relay/reference/frame.ts';
import { anyFrame, anyRule, listOf } from '../kit/relay/access-list-arbitrary.ts';
import { differentRules, frameOfRule } from '../kit/relay/access-list-rules.ts';
import { at, idOf, network, state, station } from '../kit/relay/states.ts';
import { KernelSwitch } from '../kit/kernel/relay-harness.ts';

const object = fileURLToPath(new URL('../../bpf/relay.bpf.o', import.meta.url));
const vlan = 10;
const redirected = 7; // TC_ACT_REDIRECT
const own = '02:00:00:00:00:01';
const others = ['02:00:00:00:01:02', 'ff:ff:ff:ff:ff:ff'];

describe('access lists in the kernel', () => {
  let kernel: KernelSwitch;
  let program: BpfObject;
  let run: TestRun;
  before(async () => {
    kernel = await KernelSwitch.open(['s1', 'n1']);
    program = BpfObject.load(object, kernel.directory);
    run = new TestRun(program.programFd('hp_relay'));
  });
  after(async () => {
    run.close();
    program.close();
    await kernel.close();
  });

  function apply(accessList: AccessList): void {
    const policy = { accessList, vlan };
    kernel.apply(
      state({ s1: station, n1: network(vlan) }, { 1: { active: at('s1'), addresses: [own], policy } }),
    );
  }

  /** Whether the frame passes: from the VM to the network, or from there to the VM. */
  function passes(direction: Direction, frame: Uint8Array): boolean {
    const port = direction === 'from-vm' ? 's1' : 'n1';
    return kernel.inside(() => run.run(frame, interfaceIndex(port)).action === redirected);
  }

  it('decide of every frame, and count, what the reference does', () => {
    const rules = fc.oneof(
      fc.array(anyRule, { minLength: 1, maxLength: 4 }),
      fc.array(anyRule, { minLength: 60, maxLength: 140, size: 'max' }),
    );
    const frames = fc.array(fc.tuple(anyFrame, fc.constantFrom(...others), fc.constantFrom(...directions)), {
      minLength: 40,
      maxLength: 60,
      size: 'max',
    });
    fc.assert(
      fc.property(listOf(rules), frames, (list, frames) => {
        apply(list);
        const counts = Array.from({ length: list.rules.length + 1 }, () => 0);
        for (const [octets, other, direction] of frames) {
          const frame = addressed(octets, direction, other);
          const { allowed, by } = judge(list, direction, parseFrame(frame)!, vlan);
          assert.equal(passes(direction, frame), allowed, Buffer.from(frame).toString('hex'));
          counts[by]!++;
        }
        assert.deepEqual(kernel.relay.ruleFrames(idOf(1)), counts);
      }),
      { numRuns: 50, endOnFailure: true },
    );
  });

  it('have room for 1,024 rules of different prefixes and ranges', () => {
    apply({ rules: differentRules(1024), otherwise: 'deny' });
    for (const i of [0, 63, 64, 511, 1023])
      assert.equal(passes('from-vm', addressed(frameOfRule(i), 'from-vm', others[0]!)), i % 2 === 0);
    const counts = kernel.relay.ruleFrames(idOf(1))!;
    assert.equal(counts.length, 1025);
    assert.deepEqual(
      counts.flatMap((frames, i) => (frames ? [i] : [])),
      [0, 63, 64, 511, 1023],
    );
  });

  it('are read back by the next process, and go on counting', () => {
    const accessList: AccessList = {
      rules: [{ action: 'allow', direction: 'both', source: { set: 'net' } }],
      otherwise: 'deny',
      sets: { net: [{ address: '10.0.0.0', length: 8 }] },
    };
    apply(accessList);
    const frame = addressed(frameOfRule(0), 'from-vm', others[0]!);
    assert.ok(passes('from-vm', frame));
    kernel.relay.close();
    kernel.reopen();
    assert.deepEqual(kernel.relay.held().vsis.get(idOf(1))!.policy.accessList, accessList);
    assert.ok(passes('from-vm', frame));
    assert.deepEqual(kernel.relay.ruleFrames(idOf(1)), [2, 0]);
  });
});

/** The frame between the VM and somebody else, long enough for the kernel's test runs, which want an IP header to be there. */
function addressed(frame: Uint8Array, direction: Direction, other: string): Uint8Array {
  const copy = new Uint8Array(Math.max(frame.length, frame[12] === 0x86 ? 54 : 34));
  copy.set(frame);
  const [source, destination] = direction === 'from-vm' ? [own, other] : [others[0]!, own];
  copy.set(macToBytes(parseMac(destination)));
  copy.set(macToBytes(parseMac(source)), 6);
  return copy;
}
