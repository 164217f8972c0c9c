import { setImmediate as nextTurn } from 'node:timers/promises';
import { ControlFilter, droppedAt, removeFilter } from '../linux/bpf/control-filter.ts';
import { interfaceExists } from '../linux/net/interfaces.ts';
import { MissingLibrary } from '../linux/bpf/library.ts';
import { SystemError } from '../linux/libc.ts';
import { monitorLinks, type LinkChange } from '../linux/net/link-monitor.ts';
import { numberOfNamespace, readLink, readLinks, type Link } from '../linux/net/links.ts';
import { inNamespaceAt, otherNamespaces } from '../linux/net/namespace.ts';
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
/** What hundreds of interfaces take is done by and by: the agent has others to answer. */
const turnMs = 10;

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
  #above: AboveUplink | null = null;
  /** those that were seen to have it, by index */
  readonly #here = new Map<number, VmInterface>();
  #elsewhere: Elsewhere[] = [];
  #trunk: number | null = null;
  /** those to be compared with the kernel, by index */
  readonly #due = new Set<number>();
  #working: Promise<void> | null = null;
  #isClosed = false;
  #problems = new Map<string, string>();
  /** what the log has of them */
  #toldProblems = new Map<string, string>();
  readonly #toldDrops = new Map<string, number>();
  readonly #failed: (error: unknown) => void;
  readonly #stop = new DisposableStack();

  private constructor(uplink: string, log: Log, failed: (error: unknown) => void) {
    this.#uplink = uplink;
    this.#log = log;
    this.#failed = failed;
    this.#stop.defer(() => this.#vmFilter.close());
    try {
      this.#uplinkFilter = new ControlFilter('uplink');
      this.#stop.defer(() => this.#uplinkFilter.close());
      this.#stop.defer(monitorLinks((change) => this.#changed(change), failed));
    } catch (error) {
      this.#stop.dispose();
      throw error;
    }
    const timer = setInterval(() => void this.check().catch(failed), checkMs);
    this.#stop.defer(() => clearInterval(timer));
  }

  /** Resolves when all that is there has it. @throws MissingLibrary, SystemError where the kernel cannot do it */
  static async start(uplink: string, log: Log, failed: (error: unknown) => void): Promise<VmFilter> {
    const filter = new VmFilter(uplink, log, failed);
    try {
      await filter.check();
    } catch (error) {
      filter.close();
      throw error;
    }
    return filter;
  }

  close(): void {
    this.#isClosed = true;
    this.#stop.dispose();
  }

  /** Compares all with the kernel: events may have been lost, and somebody may have taken a filter off. */
  async check(): Promise<void> {
    await this.#working; // a check in progress is not begun anew
    this.#links.clear();
    for (const link of readLinks()) this.#links.set(link.index, link);
    [this.#toldProblems, this.#problems] = [this.#problems, new Map<string, string>()];
    this.#look();
    for (const { index } of this.#above?.vms ?? []) this.#due.add(index);
    this.#trunk = null;
    this.#holdUplink();
    this.#lookElsewhere();
    await this.#work();
  }

  /** As it is now. */
  async status(): Promise<VmFilterStatus> {
    await this.check();
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
    this.#look();
    const isNew = (vm: VmInterface) => vm.index === index && !this.#here.has(index);
    const vm = this.#above?.vms.find(isNew);
    if (vm) this.#hold(vm); // at once: it may be set up at any moment
    this.#holdUplink();
    if (had && !link) this.#lookElsewhere(); // it may have been moved
    this.#work().catch(this.#failed);
  }

  /** What stands on the uplink by what is known of the links. */
  #look(): void {
    this.#above = aboveUplink(this.#links.values(), this.#uplink);
    const vms = new Map(this.#above?.vms.map((vm) => [vm.index, vm]));
    for (const [index, { name }] of this.#here)
      if (!vms.has(index)) {
        this.#here.delete(index);
        if (this.#links.has(index) && removeFilter(index, 'vm'))
          this.#log('info', `${name} stands no longer on ${this.#uplink}: it may send control frames`);
      }
    for (const [index, vm] of vms)
      if (this.#here.has(index)) this.#here.set(index, vm); // it may have another name
      else this.#due.add(index);
  }

  #work(): Promise<void> {
    this.#working ??= this.#byAndBy().finally(() => (this.#working = null));
    return this.#working;
  }

  async #byAndBy(): Promise<void> {
    let end = performance.now() + turnMs;
    for (const index of this.#due) {
      this.#due.delete(index);
      const vm = this.#above?.vms.find((vm) => vm.index === index);
      if (vm) this.#hold(vm);
      if (performance.now() < end) continue;
      await nextTurn();
      if (this.#isClosed) return;
      end = performance.now() + turnMs;
    }
  }

  #hold(vm: VmInterface): void {
    if (!this.#install(this.#vmFilter, vm, null)) {
      this.#here.delete(vm.index);
      return;
    }
    this.#here.set(vm.index, vm);
    this.#due.delete(vm.index);
    for (const { dropped } of shown(vm, null)) this.#tellDrops(vm.name, null, dropped.fromVm);
  }

  #holdUplink(): void {
    const trunk = this.#above?.trunk ?? null;
    const before = this.#trunk;
    if (trunk?.index === before) return;
    this.#trunk = trunk && this.#install(this.#uplinkFilter, trunk, null) ? trunk.index : null;
    if (before !== null && this.#links.has(before)) removeFilter(before, 'uplink');
    if (trunk && this.#trunk !== null)
      this.#tellDrops(trunk.name, null, droppedAt(this.#trunk, 'uplink')?.egress ?? 0);
  }

  #lookElsewhere(): void {
    const bases = this.#above?.bases ?? new Set<number>();
    this.#elsewhere = [];
    if (!bases.size) return;
    for (const [namespace, path] of otherNamespaces())
      inOther(path, undefined, (outside) => {
        const number = numberOfNamespace(outside);
        if (number === null) return; // nothing in it stands on anything here
        for (const vm of aboveFromElsewhere(readLinks(), number, bases)) {
          if (!this.#install(this.#vmFilter, vm, namespace)) continue;
          this.#elsewhere.push({ namespace, path, vm });
          for (const { dropped } of shown(vm, namespace)) this.#tellDrops(vm.name, namespace, dropped.fromVm);
        }
      });
  }

  /** Whether it is there now. */
  #install(
    filter: ControlFilter,
    { index, name }: Pick<Link, 'index' | 'name'>,
    namespace: number | null,
  ): boolean {
    const subject = subjectOf(name, namespace);
    if (this.#isClosed) return false; // and with it what this would load
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
export async function holdVmFilter(
  uplink: string,
  log: Log,
  failed: (error: unknown) => void,
): Promise<Pick<VmFilter, 'status' | 'close'>> {
  try {
    return await VmFilter.start(uplink, log, failed);
  } catch (error) {
    if (!(error instanceof SystemError || error instanceof MissingLibrary)) throw error;
    const problem = error.message;
    log('warn', `VMs' control frames are not dropped: ${problem}`);
    return { status: () => Promise.resolve({ interfaces: [], uplink: null, problem }), close() {} };
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
