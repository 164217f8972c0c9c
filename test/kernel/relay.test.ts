import { conformance } from '../kit/relay/conformance.ts';
import { KernelSwitch } from '../kit/kernel/relay-harness.ts';

conformance('ebpf', () => KernelSwitch.open(['s1', 's2', 's3', 'n1', 'n2', 'm1']));
