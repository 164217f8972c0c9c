import { fileURLToPath } from 'node:url';
import { run } from '../linux/run.ts';
import { guestImages } from './guest/images.ts';
import { QemuVm } from './guest/qemu-vm.ts';
import type { LabOptions } from './lab.ts';
import { NetnsVm } from './netns-vm.ts';
import type { HostName, LabVmPlan } from './scenario.ts';
import type { LabNames } from './topology.ts';
import type { LabVm } from './vm.ts';

const setupScript = fileURLToPath(new URL('../../scripts/setup', import.meta.url));

export interface VmGround {
  readonly names: LabNames;
  /** the lab's own directory */
  readonly directory: string;
  /** where a host's station looks for monitors */
  readonly monitors: (host: HostName) => string;
}

/** Gets ready what VMs are made of. */
export async function vmFactory(
  { vms, progress }: Pick<LabOptions, 'vms' | 'progress'>,
  ground: VmGround,
): Promise<(plan: LabVmPlan) => LabVm> {
  if (vms === 'netns') return (plan) => new NetnsVm(ground.names, plan);
  for (const line of (await run('sh', [setupScript, 'qemu'])).split('\n').filter(Boolean)) progress(line);
  const images = await guestImages(ground.directory, progress);
  return (plan) => new QemuVm(plan, { ...ground, images });
}
