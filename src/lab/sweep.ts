import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { libc } from '../linux/libc.ts';
import { listNamespaces } from '../linux/net/namespace.ts';
import { run } from '../linux/run.ts';
import { bridgeName } from './scenario.ts';
import { removeTopology, type LabNames } from './topology.ts';

const detached = 2; // MNT_DETACH

/** Removes whatever is left of a lab, however it ended: its processes, namespaces, pins and files. */
export async function sweep(names: LabNames, directory: string): Promise<void> {
  for (const namespace of await listNamespaces(names.prefix))
    for (const pid of (await run('ip', ['netns', 'pids', namespace])).split('\n').filter(Boolean))
      if (Number(pid) !== process.pid) kill(Number(pid));
  await removeTopology(names);
  libc().umount2(join(directory, bridgeName, 'bpf'), detached); // fails where nothing is mounted, which is well
  rmSync(directory, { recursive: true, force: true });
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it has ended meanwhile
  }
}
