import type { MacAddress } from '../../domain/mac-address.ts';
import type { Timestamp } from '../../domain/migration.ts';
import type { HypervisorEvent, HypervisorEventKind, HypervisorWatcher } from '../event.ts';
import { deviceNames, nicAddresses, rearmNicEvents } from './nics.ts';
import { QmpClient, QmpError, type QmpOptions } from './qmp-client.ts';
import { qmpStep, type QmpInput, type QmpState } from './qmp-events.ts';
import { isObject, type QmpEvent } from './qmp-message.ts';

export interface MonitorOptions extends Pick<QmpOptions, 'slow' | 'slowMs' | 'signal'> {
  /** the VM's name where QEMU was given none (-name) */
  readonly fallbackName: string;
  readonly emit: (event: HypervisorEvent) => void;
  /** Called once after the last event, when the connection has ended by itself, or by what was no QMP (without a code). */
  readonly ended: (reason: QmpError) => void;
  readonly now: () => Timestamp;
  /** how often the NICs are looked at without an event, of which QEMU has none for most of them */
  readonly nicsEveryMs?: number;
}

export interface MonitorWatch extends HypervisorWatcher {
  /** Tells that the VM is gone, after a connection that did not end with the process. */
  gone(): void;
}

/** Events that tell of a NIC which came, went, or got another address; virtio alone has the first. */
const nicEvents = new Set(['NIC_RX_FILTER_CHANGED', 'DEVICE_DELETED']);
const defaultNicsEveryMs = 10_000;

/**
 * Watches one VM on a monitor socket of its own (QEMU serves one client per monitor, and the toolstack has its own).
 * Resolves once the VM's present state has been told; a QEMU that is slow to greet or to answer is waited for as long as
 * it keeps the connection. @throws QmpError if the monitor cannot be had
 */
export async function watchMonitor(path: string, options: MonitorOptions): Promise<MonitorWatch> {
  const watcher = new MonitorWatcher(path, options);
  await watcher.attach();
  return watcher;
}

class MonitorWatcher implements MonitorWatch {
  readonly #path: string;
  readonly #options: MonitorOptions;
  #qmp!: QmpClient;
  #state: QmpState = 'unknown';
  #vm = '';
  #macs: readonly MacAddress[] = [];
  #devices = '';
  /** "again": something has changed since the look that is under way began */
  #lookingAtNics: 'no' | 'yes' | 'again' = 'no';
  #nicsTimer: NodeJS.Timeout | undefined;
  /** events that came before the first snapshot; null from then on */
  #early: QmpEvent[] | null = [];

  constructor(path: string, options: MonitorOptions) {
    this.#path = path;
    this.#options = options;
  }

  async attach(): Promise<void> {
    const { fallbackName, slow, slowMs, signal } = this.#options;
    this.#qmp = await QmpClient.connect(this.#path, {
      onEvent: (event) => (this.#early ? this.#early.push(event) : this.#take(event)),
      onClose: (reason) => this.#closed(reason),
      timeoutMs: Infinity,
      ...(slow && { slow }),
      ...(slowMs !== undefined && { slowMs }),
      ...(signal && { signal }),
    });
    try {
      await enableMigrationEvents(this.#qmp);
      const name = await this.#qmp.execute('query-name');
      this.#vm = isObject(name) && typeof name['name'] === 'string' ? name['name'] : fallbackName;
      await rearmNicEvents(this.#qmp);
      this.#devices = await deviceNames(this.#qmp);
      this.#macs = await nicAddresses(this.#qmp);
      this.#step(await snapshot(this.#qmp), this.#options.now());
    } catch (error) {
      this.#qmp.close();
      throw error;
    }
    const early = this.#early ?? [];
    this.#early = null;
    for (const event of early) this.#take(event);
    const { nicsEveryMs = defaultNicsEveryMs } = this.#options;
    this.#nicsTimer = setInterval(() => void this.#compareNics(), nicsEveryMs);
  }

  close(): void {
    clearInterval(this.#nicsTimer);
    this.#qmp.close();
  }

  #take(event: QmpEvent): void {
    if (nicEvents.has(event.name)) void this.#lookAtNics();
    const input = asInput(event);
    if (input) this.#step(input, event.at ?? this.#options.now());
  }

  #closed(reason: QmpError | null): void {
    clearInterval(this.#nicsTimer);
    if (!reason || this.#early) return; // closed by us, or `attach` throws the reason
    if (reason.code !== null) this.gone();
    this.#options.ended(reason);
  }

  gone(): void {
    this.#step({ kind: 'closed' }, this.#options.now());
  }

  /** Without a turn of the event loop: this may run inside of the VM's stop. */
  #step(input: QmpInput, at: Timestamp): void {
    const { state, emit, look } = qmpStep(this.#state, input);
    this.#state = state;
    for (const kind of emit) this.#tell(kind, at);
    if (!look) return;
    const answered = (answer: unknown) => {
      const status = isObject(answer) ? answer['status'] : undefined;
      if (typeof status === 'string') this.#step({ kind: 'status', status }, at);
    };
    this.#qmp.ask('query-status', undefined, answered, () => {}); // its end is told by `onClose`
  }

  #tell(kind: HypervisorEventKind, at: Timestamp): void {
    this.#options.emit({ kind, vm: this.#vm, process: this.#path, macs: this.#macs, at });
  }

  async #compareNics(): Promise<void> {
    try {
      if ((await deviceNames(this.#qmp)) !== this.#devices) await this.#lookAtNics();
    } catch (error) {
      if (!(error instanceof QmpError)) throw error;
    }
  }

  /** One look at a time; what happens while it is taken is looked at after it. */
  async #lookAtNics(): Promise<void> {
    if (this.#lookingAtNics !== 'no') {
      this.#lookingAtNics = 'again';
      return;
    }
    try {
      do {
        this.#lookingAtNics = 'yes';
        await rearmNicEvents(this.#qmp);
        this.#devices = await deviceNames(this.#qmp);
        const macs = await nicAddresses(this.#qmp);
        const changed = macs.join() !== this.#macs.join();
        this.#macs = macs;
        if (changed) this.#tell('nics', this.#options.now());
      } while ((this.#lookingAtNics as string) === 'again');
    } catch (error) {
      if (!(error instanceof QmpError)) throw error;
    } finally {
      this.#lookingAtNics = 'no';
    }
  }
}

/** Lets QEMU tell of each step of a migration; it refuses while one is under way, which then has no more to tell. */
async function enableMigrationEvents(qmp: QmpClient): Promise<void> {
  try {
    await qmp.execute('migrate-set-capabilities', { capabilities: [{ capability: 'events', state: true }] });
  } catch (error) {
    if (!(error instanceof QmpError) || error.kind !== 'refusal') throw error;
  }
}

async function snapshot(qmp: QmpClient): Promise<QmpInput> {
  const status = await qmp.execute('query-status');
  const migration = await qmp.execute('query-migrate');
  return {
    kind: 'snapshot',
    status: isObject(status) && typeof status['status'] === 'string' ? status['status'] : '',
    migration: isObject(migration) && typeof migration['status'] === 'string' ? migration['status'] : null,
  };
}

function asInput(event: QmpEvent): QmpInput | null {
  switch (event.name) {
    case 'RESUME':
      return { kind: 'resume' };
    case 'STOP':
      return { kind: 'stop' };
    case 'MIGRATION':
      return typeof event.data['status'] === 'string'
        ? { kind: 'migration', status: event.data['status'] }
        : null;
    case 'MIGRATION_PASS':
      return { kind: 'pass' };
    default:
      return null;
  }
}
