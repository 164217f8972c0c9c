import { ControlFilter, droppedAt, removeFilter } from '../linux/control-filter.ts';
import { interfaceExists } from '../linux/interfaces.ts';
import { MissingLibrary } from '../linux/libbpf.ts';
import { SystemError } from '../linux/libc.ts';
import { monitorLinks, type LinkChange } from '../linux/link-monitor.ts';
import { numberOfNamespace, readLink, readLinks, type Link } from '../linux/links.ts';
import { inNamespaceAt, otherNamespaces } from '../linux/namespace.ts';
import { aboveFromElsewhere, aboveUplink, type AboveUplink, type VmInterface } from './vm-interfaces.ts';

export interface FilteredInterface {
  readonly name: string;
  readonly kind: string;
  /** the inode of its network namespace, as in /proc/PID/ns/net; null: the host's */
  readonly namespace: number | null;
  /** control frames that its VM sent, and that it was not to hear */
  readonly dropped: { readonly fromVm: number; readonly toVm: number };
}

export interface VmFilterStatus {
  /** what stands on the uplink */
  readonly interfaces: readonly FilteredInterface[];
  /** where the uplink's own filter is, and the control frames it dropped: somebody got past a VM's interface */
  readonly uplink: { readonly name: string; readonly dropped: number } | null;
  /** why VMs' control frames are not dropped everywhere; null: they are */
  readonly problem: string | null;
}

type Log = (level: 'info' | 'warn', message: string) => void;
interface Elsewhere {
  readonly namespace: number;
  readonly path: string;
  readonly vm: VmInterface;
}

/** Also in other namespaces, whose events nobody tells this one. */
const checkMs = 10_000;

/**
 * Holds the control frames' filter at whatever VMs have on an uplink of this thread's namespace, until `close`; what is
 * there stays then. What the kernel shows counts, not what this agent remembers.
 */
export class VmFilter {
  readonly #uplink: string;
  readonly #log: Log;
  readonly #vmFilter = new ControlFilter('vm');
  readonly #uplinkFilter: ControlFilter;
  readonly #links = new Map<number, Link>();
  /** those that were seen to have it, by index */
  readonly #here = new Map<number, VmInterface>();
  #elsewhere: Elsewhere[] = [];
  #above: AboveUplink | null = null;
  #trunk: number | null = null;
  #problems = new Map<string, string>();
  /** what the log has of them */
  #toldProblems = new Map<string, string>();
  readonly #toldDrops = new Map<string, number>();
  readonly #stop = new DisposableStack();

  /** @throws MissingLibrary, SystemError where the kernel cannot do it; nothing was changed */
  constructor(uplink: string, log: Log, failed: (error: unknown) => void) {
    this.#uplink = uplink;
    this.#log = log;
    this.#stop.defer(() => this.#vmFilter.close());
    try {
      this.#uplinkFilter = new ControlFilter('uplink');
      this.#stop.defer(() => this.#uplinkFilter.close());
      this.#stop.defer(monitorLinks((change) => this.#changed(change), failed));
      this.check();
    } catch (error) {
      this.#stop.dispose();
      throw error;
    }
    const timer = setInterval(() => {
      try {
        this.check();
      } catch (error) {
        failed(error);
      }
    }, checkMs);
    this.#stop.defer(() => clearInterval(timer));
  }

  close(): void {
    this.#stop.dispose();
  }

  /** Compares all with the kernel: events may have been lost, and somebody may have taken a filter off. */
  check(): void {
    this.#links.clear();
    for (const link of readLinks()) this.#links.set(link.index, link);
    this.#here.clear();
    this.#trunk = null;
    [this.#toldProblems, this.#problems] = [this.#problems, new Map<string, string>()];
    this.#apply();
    this.#lookElsewhere();
    const { interfaces, uplink } = this.#status();
    for (const { name, namespace, dropped } of interfaces) this.#tellDrops(name, namespace, dropped.fromVm);
    if (uplink) this.#tellDrops(uplink.name, null, uplink.dropped);
  }

  /** As it is now. */
  status(): VmFilterStatus {
    this.check();
    return this.#status();
  }

  #status(): VmFilterStatus {
    const here = [...this.#here.values()].flatMap((vm) => shown(vm, null));
    const elsewhere = this.#elsewhere.flatMap(({ path, namespace, vm }) =>
      inOther(path, [], () => shown(vm, namespace)),
    );
    const trunk = this.#trunk === null ? null : droppedAt(this.#trunk, 'uplink');
    return {
      interfaces: [...here, ...elsewhere],
      uplink: trunk && this.#above ? { name: this.#above.trunk.name, dropped: trunk.egress } : null,
      problem: [...this.#problems.values()].join('; ') || null,
    };
  }

  #changed({ index, exists }: LinkChange): void {
    const link = exists ? readLink(index) : null;
    const had = this.#here.has(index);
    if (link) this.#links.set(index, link);
    else this.#links.delete(index);
    this.#apply();
    if (had && !link) this.#lookElsewhere(); // it may have been moved
  }

  #apply(): void {
    this.#above = aboveUplink(this.#links.values(), this.#uplink);
    const vms = this.#above?.vms ?? [];
    const stays = new Set(vms.map(({ index }) => index));
    for (const [index, { name }] of this.#here)
      if (!stays.has(index)) {
        this.#here.delete(index);
        if (this.#links.has(index) && removeFilter(index, 'vm'))
          this.#log('info', `${name} stands no longer on ${this.#uplink}: it may send control frames`);
      }
    for (const vm of vms)
      if (this.#here.has(vm.index)) this.#here.set(vm.index, vm); // it may have another name
      else if (this.#install(this.#vmFilter, vm, null)) this.#here.set(vm.index, vm);
    const trunk = this.#above?.trunk ?? null;
    const before = this.#trunk;
    if (trunk?.index === before) return;
    this.#trunk = trunk && this.#install(this.#uplinkFilter, trunk, null) ? trunk.index : null;
    if (before !== null && this.#links.has(before)) removeFilter(before, 'uplink');
  }

  #lookElsewhere(): void {
    const bases = this.#above?.bases ?? new Set<number>();
    this.#elsewhere = [];
    if (bases.size)
      for (const [namespace, path] of otherNamespaces())
        inOther(path, undefined, (outside) => {
          const number = numberOfNamespace(outside);
          if (number === null) return; // nothing in it stands on anything here
          for (const vm of aboveFromElsewhere(readLinks(), number, bases))
            if (this.#install(this.#vmFilter, vm, namespace)) this.#elsewhere.push({ namespace, path, vm });
        });
  }

  /** Whether it is there now. */
  #install(
    filter: ControlFilter,
    { index, name }: Pick<Link, 'index' | 'name'>,
    namespace: number | null,
  ): boolean {
    const subject = subjectOf(name, namespace);
    try {
      if (filter.install(index, subject))
        this.#log('info', `${subject}: control frames of VMs are dropped from now on`);
      this.#problems.delete(subject);
      return true;
    } catch (error) {
      if (!interfaceExists(name)) return false; // gone meanwhile
      const { message } = error as Error;
      const told = this.#problems.get(subject) ?? this.#toldProblems.get(subject);
      if (told !== message)
        this.#log('warn', `VMs' control frames are not dropped at ${subject}: ${message}`);
      this.#problems.set(subject, message);
      return false;
    }
  }

  #tellDrops(name: string, namespace: number | null, dropped: number): void {
    const key = `${namespace} ${name}`;
    const before = this.#toldDrops.get(key) ?? 0;
    if (dropped > before)
      this.#log(
        'warn',
        `${dropped - before} control frames of a VM were dropped at ${subjectOf(name, namespace)}`,
      );
    this.#toldDrops.set(key, dropped);
  }
}

/** A VM filter, or in its place what says why there is none: a host without one goes on as it did. */
export function holdVmFilter(
  uplink: string,
  log: Log,
  failed: (error: unknown) => void,
): Pick<VmFilter, 'status' | 'close'> {
  try {
    return new VmFilter(uplink, log, failed);
  } catch (error) {
    if (!(error instanceof SystemError || error instanceof MissingLibrary)) throw error;
    const problem = error.message;
    log('warn', `VMs' control frames are not dropped: ${problem}`);
    return { status: () => ({ interfaces: [], uplink: null, problem }), close() {} };
  }
}

/**
 * Takes the filter off whatever is on an uplink of this thread's namespace, and off the uplink: for a host that is to
 * have no station any more. @returns the interfaces that had it
 */
export function removeVmFilter(uplink: string): string[] {
  const above = aboveUplink(readLinks(), uplink);
  if (!above) return [];
  const here = above.vms.filter(({ index }) => removeFilter(index, 'vm'));
  const there = [...otherNamespaces()].flatMap(([namespace, path]) =>
    inOther<string[]>(path, [], (outside) => {
      const number = numberOfNamespace(outside);
      if (number === null) return [];
      return aboveFromElsewhere(readLinks(), number, above.bases)
        .filter(({ index }) => removeFilter(index, 'vm'))
        .map(({ name }) => subjectOf(name, namespace));
    }),
  );
  const trunk = removeFilter(above.trunk.index, 'uplink') ? [above.trunk.name] : [];
  return [...here.map(({ name }) => name), ...there, ...trunk];
}

/** Runs `body` in another namespace; one that is gone, or may not be entered, gives `otherwise`. */
function inOther<T>(path: string, otherwise: T, body: (outside: number) => T): T {
  try {
    return inNamespaceAt(path, body);
  } catch (error) {
    if (error instanceof SystemError) return otherwise;
    throw error;
  }
}

function subjectOf(name: string, namespace: number | null): string {
  return namespace === null ? name : `${name} in network namespace ${namespace}`;
}

function shown({ index, name, kind, vmSends }: VmInterface, namespace: number | null): FilteredInterface[] {
  const dropped = droppedAt(index, 'vm');
  if (!dropped) return [];
  const [fromVm, toVm] =
    vmSends === 'egress' ? (['egress', 'ingress'] as const) : (['ingress', 'egress'] as const);
  return [{ name, kind, namespace, dropped: { fromVm: dropped[fromVm], toVm: dropped[toVm] } }];
}
