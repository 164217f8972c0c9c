import { fileURLToPath } from 'node:url';
import { plainForwarding, type Policy } from '../../domain/port-profile.ts';
import { interfaceIndex } from '../../linux/net/interfaces.ts';
import { TestRun } from '../../linux/bpf/test-run.ts';
import { BpfObject } from '../../linux/bpf/object.ts';
import { inNamespace } from '../../linux/net/namespace.ts';
import { addCollector, collector, makeBed, port } from '../bed.ts';
import { Hairpin, stateOf, stationPort, vsisAt } from '../peers/hairpin.ts';
import { policy } from '../policy.ts';
import type { RelayPort } from '../../relay/contract/relay.ts';
import { benchObject } from '../sink.ts';
import { frame, vm } from '../vms.ts';
import { ruleCounts } from './contenders.ts';

const relayObject = fileURLToPath(new URL('../../../bpf/relay.bpf.o', import.meta.url));
const session = 'bench';

/** The relay's program by itself, from the frame's entry to its verdict. */
export interface Stage {
  readonly stage: string;
  readonly ns: number;
}

const ports = new Map<string, RelayPort>([
  [port, stationPort],
  [collector, { kind: 'mirror', session }],
]);
const unicast = frame(vm(0), vm(1), 64);
const control = Uint8Array.from([0x01, 0x80, 0xc2, 0, 0, 0x0e, ...unicast.subarray(6)]);

const bare: Policy = { ...policy(0), ...plainForwarding };
const guarded: Policy = { ...bare, guards: policy(0).guards };

/**
 * Runs the program in the kernel (BPF_PROG_TEST_RUN) under policies of growing length; the best of three runs each. The
 * first is that of an empty program: so much of the others is the test's own.
 */
export async function stages(repeat: number): Promise<Stage[]> {
  await using undo = new AsyncDisposableStack();
  const { switch: namespace } = await makeBed();
  await addCollector(namespace, undo);
  const hairpin = undo.adopt(new Hairpin(namespace), (it) => it.stop());
  const load = (path: string, name: string): number =>
    undo.adopt(BpfObject.load(path, hairpin.pins), (object) => object.close()).programFd(name);
  const relay = load(relayObject, 'hp_relay');
  const run = (stage: string, program: number, bytes: Uint8Array): Stage => {
    const test = new TestRun(program);
    try {
      const runs = [1, 2, 3].map(() =>
        inNamespace(namespace, () => test.run(bytes, interfaceIndex(port), { repeat }).ns),
      );
      return { stage, ns: Math.min(...runs) };
    } finally {
      test.close();
    }
  };
  const under = (of: Policy, stage: string, bytes = unicast): Stage => {
    hairpin.apply(
      stateOf(
        ports,
        vsisAt(port, 2, () => of),
      ),
    );
    return run(stage, relay, bytes);
  };
  return [
    run('an empty program', load(benchObject, 'hp_turn'), unicast),
    under(bare, 'a control frame, left to the agent', control),
    under(bare, 'a stranger, dropped', frame(vm(2), vm(1), 64)),
    under(bare, 'unicast, no rule'),
    under(guarded, '+ guards'),
    under(policy(0), '+ rates in both directions'),
    ...ruleCounts.map((rules) => under(policy(rules), `+ ${rules} rules`)),
    under({ ...policy(1), mirror: { session, direction: 'both' } }, 'with 1 rule: + mirror, copies sent'),
  ];
}
