import { conformance } from '../unit/relay/conformance.ts';
import { KernelSwitch } from './relay-harness.ts';

conformance('ebpf', () => KernelSwitch.open(['s1', 's2', 's3', 'n1', 'n2', 'm1']));
