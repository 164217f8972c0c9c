import type { MacAddress } from '../../domain/mac-address.ts';
import type { Timestamp } from '../../domain/migration.ts';
import type { HypervisorEvent, HypervisorWatcher } from '../event.ts';
import { nicAddresses } from './nics.ts';
import { QmpClient, QmpError } from './qmp-client.ts';
import { qmpStep, type QmpInput, type QmpState } from './qmp-events.ts';
import { isObject, type QmpEvent } from './qmp-message.ts';

export interface MonitorOptions {
  /** the VM's name where QEMU was given none (-name) */
  readonly fallbackName: string;
  readonly emit: (event: HypervisorEvent) => void;
  /** Called once after the last event, when the connection has ended by itself. */
  readonly ended: (reason: QmpError) => void;
  readonly now: () => Timestamp;
  readonly timeoutMs?: number;
}

/**
 * Watches one VM on a monitor socket of its own (QEMU serves one client per monitor, and the toolstack has its own).
 * Resolves once the VM's present state has been told. @throws QmpError if the monitor cannot be had
 */
export async function watchMonitor(path: string, options: MonitorOptions): Promise<HypervisorWatcher> {
  const watcher = new MonitorWatcher(options);
  await watcher.attach(path);
  return watcher;
}

class MonitorWatcher implements HypervisorWatcher {
  readonly #options: MonitorOptions;
  #qmp: QmpClient | undefined;
  #state: QmpState = 'unknown';
  #vm = '';
  #macs: readonly MacAddress[] = [];
  /** events that came before the first snapshot; null from then on */
  #early: QmpEvent[] | null = [];

  constructor(options: MonitorOptions) {
    this.#options = options;
  }

  async attach(path: string): Promise<void> {
    const { timeoutMs, fallbackName } = this.#options;
    const qmp = await QmpClient.connect(path, {
      onEvent: (event) => (this.#early ? this.#early.push(event) : this.#take(event)),
      onClose: (reason) => this.#closed(reason),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
    this.#qmp = qmp;
    try {
      await enableMigrationEvents(qmp);
      const name = await qmp.execute('query-name');
      this.#vm = isObject(name) && typeof name['name'] === 'string' ? name['name'] : fallbackName;
      this.#macs = await nicAddresses(qmp);
      this.#step(await snapshot(qmp), this.#options.now());
    } catch (error) {
      qmp.close();
      throw error;
    }
    const early = this.#early ?? [];
    this.#early = null;
    for (const event of early) this.#take(event);
  }

  close(): void {
    this.#qmp?.close();
  }

  #take(event: QmpEvent): void {
    const input = asInput(event);
    if (!input) return;
    const at = event.at ?? this.#options.now();
    this.#step(input, at);
    // a pause by hand, or a switch-over whose begin went unheard (the capability could not be set any more)?
    if (input.kind === 'stop' && this.#state === 'running') void this.#lookAgain(at);
  }

  async #lookAgain(at: Timestamp): Promise<void> {
    try {
      if (this.#qmp) this.#step(await snapshot(this.#qmp), at);
    } catch (error) {
      if (!(error instanceof QmpError)) throw error; // its end is told by `onClose`
    }
  }

  #closed(reason: QmpError | null): void {
    if (!reason || this.#early) return; // closed by us, or `attach` throws the reason
    this.#step({ kind: 'closed' }, this.#options.now());
    this.#options.ended(reason);
  }

  #step(input: QmpInput, at: Timestamp): void {
    const { state, emit } = qmpStep(this.#state, input);
    this.#state = state;
    for (const kind of emit) this.#options.emit({ kind, vm: this.#vm, macs: this.#macs, at });
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
    default:
      return null;
  }
}
