import {
  createQuietNamespace,
  deleteNamespace,
  inNamespace,
  listNamespaces,
} from '../linux/net/namespace.ts';
import { ip } from '../linux/run.ts';
import { Sink } from './sink.ts';

const prefix = `hp-bench-${process.pid}-`;
let made = 0;

/** A link between two namespaces: a switch's port, and a host's uplink. */
export interface Bed {
  readonly switch: string;
  readonly host: string;
}
export const port = 'p1';
export const uplink = 'u0';

/** A bed of its own for each contender, so that all stand ready at once and can take turns. */
export async function makeBed(): Promise<Bed> {
  const bed = { switch: await makeNamespace('sw'), host: await makeNamespace('host') };
  await ip(bed.switch, [
    `link add ${port} type veth peer name ${uplink} netns ${bed.host}`,
    `link set dev ${port} up`,
  ]);
  await ip(bed.host, [`link set dev ${uplink} up`]);
  return bed;
}

export async function makeNamespace(role: string): Promise<string> {
  const name = `${prefix}${role}${made++}`;
  await createQuietNamespace(name);
  return name;
}

/** A switch or host in place on a bed. */
export interface Built {
  /** of the process that forwards, where the kernel does not */
  readonly pid?: number;
}

export const collector = 'm1';

/** A link whose far end drops what it gets, for a mirror's copies. */
export async function addCollector(namespace: string, undo: AsyncDisposableStack): Promise<void> {
  const far = await makeNamespace('collector');
  await ip(namespace, [
    `link add ${collector} type veth peer name far netns ${far}`,
    `link set dev ${collector} up`,
  ]);
  await ip(far, ['link set dev far up']);
  undo.adopt(
    inNamespace(far, () => new Sink('far')),
    (sink) => sink.close(),
  );
}

/** Removes every namespace that this process made here, and all that is in them. */
export async function removeBeds(): Promise<void> {
  for (const name of await listNamespaces(prefix)) await deleteNamespace(name);
}
