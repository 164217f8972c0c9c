import { run } from '../../linux/run.ts';
import { rate } from '../policy.ts';

/** HTB at an interface's egress, one class at the benchmark's rate. */
export async function shape(namespace: string, name: string): Promise<void> {
  const gbit = `${rate.max / 1e9}gbit`;
  await tc(namespace, [
    `qdisc add dev ${name} root handle 1: htb default 1`,
    `class add dev ${name} parent 1: classid 1:1 htb rate ${gbit} burst 64mb cburst 64mb`,
  ]);
}

/** Copies of all that enters and leaves an interface to another one. */
export async function mirrorTo(namespace: string, name: string, to: string): Promise<void> {
  const copy = `protocol all u32 match u32 0 0 action mirred egress mirror dev ${to}`;
  await tc(namespace, [
    `qdisc add dev ${name} clsact`,
    `filter add dev ${name} ingress ${copy}`,
    `filter add dev ${name} egress ${copy}`,
  ]);
}

async function tc(namespace: string, lines: readonly string[]): Promise<void> {
  await run('tc', ['-n', namespace, '-batch', '-'], `${lines.join('\n')}\n`);
}
