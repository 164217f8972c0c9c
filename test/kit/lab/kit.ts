import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { policyOf, type PortProfile } from '../../../src/domain/port-profile.ts';
import type { KernelLab } from '../../../src/lab/kernel-lab.ts';
import type { LabOptions, VmKind } from '../../../src/lab/lab.ts';
import { vms, type LabVmPlan } from '../../../src/lab/scenario.ts';
import { listNamespaces, nsenter } from '../../../src/linux/net/namespace.ts';
import { run } from '../../../src/linux/run.ts';
import { hairpin } from '../cli/hairpin.ts';
import type { KernelView } from './kernel-view.ts';

export function labOptions(id: string, vmKind: VmKind = 'netns'): LabOptions {
  return { id, vms: vmKind, listen: '127.0.0.1:0', progress: () => {} };
}

export function planOf(name: string): LabVmPlan {
  return vms.find((plan) => plan.name === name)!;
}

/** Waits for what happens soon, and says what did not. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, timeoutMs = 8000) {
  const end = performance.now() + timeoutMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await sleep(10);
  }
}

/** Replaces a profile as the administrator does, and waits until the kernel has it for the VSI. */
export async function setProfile(
  lab: KernelLab,
  kernel: KernelView,
  profile: PortProfile,
  { vsiId }: LabVmPlan,
) {
  await lab.api.put('profiles', profile);
  const wanted = policyOf(profile);
  await until('the profile in the data plane', () => isDeepStrictEqual(kernel.vsi(vsiId)?.policy, wanted));
}

/** Opens a TCP connection from within a namespace and reads a line; null if none is to be had. */
export async function tcpLine(namespace: string, address: string, port: number): Promise<string | null> {
  const script = `exec 3<>/dev/tcp/${address}/${port} && read -r line <&3 && echo "$line"`;
  const [command, ...args] = nsenter(namespace, ['timeout', '1', 'bash', '-c', script]);
  try {
    return (await run(command, args)).trim();
  } catch {
    return null;
  }
}

/** Tells a host's station of an event by the command line, as any toolstack may. @throws an Error if it is refused */
export async function announce(
  lab: KernelLab,
  host: string,
  event: string,
  { name, mac }: LabVmPlan,
): Promise<void> {
  const control = join(lab.directory, `${host}.sock`);
  const args = ['station', 'announce', event, name, '--control', control, '--mac', mac];
  const { code, stdout, stderr } = await hairpin(args);
  if (code !== 0 || stdout !== 'granted\n')
    throw new Error(`${event} of ${name} at ${host}: ${stdout}${stderr}`);
}

/** Where the manager takes a VSI to be, with when it was told. */
export async function statusOf({ api }: KernelLab, { vsiId }: LabVmPlan) {
  return (await api.get('vsis', vsiId))!.value.status;
}

/** What is left of a lab: namespaces, processes, mounts. */
export async function remains(id: string): Promise<string[]> {
  const mounts = (await run('cat', ['/proc/self/mounts']))
    .split('\n')
    .filter((line) => line.includes(`/hp-${id}/`));
  const processes = (await run('ps', ['-eo', 'pid,args']))
    .split('\n')
    .filter((line) => line.includes(`/hp-${id}/`));
  return [...(await listNamespaces(`hp-${id}-`)), ...mounts, ...processes];
}
