import type { Timestamp } from '../../domain/migration.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import type { VdpErrorCode } from '../../protocol/vdp/association.ts';
import { sameProfile } from '../../protocol/vdp/filter.ts';
import { RelayError, type PortName } from '../../relay/contract/relay.ts';
import { newEntry, type Application } from './admission.ts';
import type { Commits } from './commits.ts';
import type { Entitlement } from './directory.ts';
import { Enquiries, TooManyEnquiries } from './enquiries.ts';
import type { Entitlements } from './entitlements.ts';
import type { EntryBook } from './entry-book.ts';
import type { Flips } from './flips.ts';
import type { BridgeAgentParts } from './parts.ts';
import type { Reports } from './reports.ts';
import { RequestLog } from './request-log.ts';
import type { StationPorts, VsiOutput } from './station-ports.ts';
import {
  activate,
  detach,
  flip,
  isConfirmedBy,
  isReleased,
  renew,
  reserve,
  type Reservation,
  type VsiEntry,
} from './vsi-entry.ts';

type Request = Extract<VsiOutput, { kind: 'request' }>;

export interface AssociationsParts extends Pick<
  BridgeAgentParts,
  'clock' | 'timestamp' | 'directory' | 'limits' | 'changed' | 'log'
> {
  readonly book: EntryBook;
  readonly ports: Pick<StationPorts, 'get' | 'believed'>;
  readonly flips: Pick<Flips, 'suspended'>;
  readonly entitlements: Pick<Entitlements, 'admit'>;
  readonly commits: Pick<Commits, 'commit' | 'attempt' | 'detach' | 'release'>;
  readonly reports: Pick<Reports, 'reserved'>;
  readonly isStopped: () => boolean;
}

/** What stations ask for by VDP, and how they are answered. */
export class Associations {
  readonly #parts: AssociationsParts;
  readonly #enquiries: Enquiries;
  readonly #requestLog: RequestLog;

  constructor(parts: AssociationsParts) {
    this.#parts = parts;
    this.#enquiries = new Enquiries(parts.directory, parts.limits.vsis);
    this.#requestLog = new RequestLog(parts.log);
  }

  handle(port: PortName, output: VsiOutput): void {
    switch (output.kind) {
      case 'request':
        this.#requested(port, output);
        return;
      case 'renewed':
        // a late keep-alive of the source must not move anything; the destination's may be the word that is awaited
        if (this.#parts.ports.get(port)!.machine.associationOf(output.vsiId) === 'associated')
          this.#confirmed(output.vsiId, port);
        return;
      case 'suspended':
        this.#parts.flips.suspended(output.vsiId, port, output.suspended);
        return;
      case 'held':
        this.#said(
          port,
          output.held ? 'warn' : 'info',
          output.held
            ? `VSI ${output.vsiId} at ${port} is held: its station keeps it alive no more`
            : `VSI ${output.vsiId} at ${port} is kept alive again`,
        );
        this.#parts.changed(output.vsiId);
        return;
      case 'released':
        this.#left(output.vsiId, port);
        this.#said(port, 'info', `VSI ${output.vsiId} released at ${port}: ${output.reason}`);
        return;
    }
  }

  /** The station has let go: where the VM is awaited elsewhere, that is where it has gone. */
  #left(vsiId: VsiId, port: PortName): void {
    this.#parts.commits.release(vsiId, port, port, (entry) => {
      const left = detach(entry, port);
      return entry.active === port && left?.active === null ? flip(left, 'left') : left;
    });
  }

  /** The station has associated what it had pre-associated, and VDP took it for a renewal. */
  #confirmed(vsiId: VsiId, port: PortName): void {
    const entry = this.#parts.book.get(vsiId);
    if (!entry || !isConfirmedBy(entry, port)) return;
    const { wireVid } = entry.attachments.get(port)!;
    if (this.#parts.commits.attempt(vsiId, port, (now) => now && activate(now, port, wireVid)))
      this.#said(port, 'info', `VSI ${vsiId} associate at ${port}: granted`);
  }

  #requested(port: PortName, request: Request): void {
    const at = this.#parts.timestamp();
    const { vsiId, profile } = request;
    const driver = this.#parts.ports.get(port);
    // the port may have been taken away, and come again, while the manager was asked
    const isThere = () => this.#parts.ports.get(port) === driver;
    this.#enquiries.settle(port, {
      vsiId,
      profile,
      answered: (entitlement) => {
        if (isThere()) this.#decide(port, request, at, entitlement);
      },
      failed: (error) => {
        if (!isThere()) return;
        const isTooMuch = error instanceof TooManyEnquiries;
        const code = isTooMuch ? 'insufficient resources' : 'unable to contact VSI manager';
        this.#refuse(port, request, code, error.message, true);
      },
    });
  }

  #decide(port: PortName, request: Request, at: Timestamp, { grant, profile }: Entitlement): void {
    // the station may have given up, or asked for something else, while the manager was asked
    if (this.#parts.isStopped() || !this.#parts.ports.get(port)!.machine.awaits(request.token)) return;
    const application: Application = {
      vsiId: request.vsiId,
      profile: request.profile,
      filter: request.filter,
      station: this.#parts.ports.believed(port),
    };
    const admission = this.#parts.entitlements.admit(application, { grant, profile });
    if (!admission.admitted) {
      const { code, reason } = admission;
      this.#refuse(port, request, code, reason, code === 'insufficient resources');
      return;
    }
    const { vsiId, mode } = request;
    const source = this.#parts.book.entries.get(vsiId)?.active;
    if (source && source !== port && mode !== 'associate')
      this.#parts.reports.reserved(vsiId, source, port, at);
    try {
      this.#parts.commits.commit(vsiId, port, (entry) => {
        if (mode === 'associate' && entry && isReleased(entry, port) && describes(entry, request))
          return renew(entry, port, admission.wireVid);
        if (mode === 'associate')
          return activate(newEntry(entry, vsiId, request.profile, admission), port, admission.wireVid);
        // prepare never harms the source: what it was granted stays until the cut-over
        const base =
          entry?.active && (entry.active !== port || entry.flip)
            ? entry
            : newEntry(entry, vsiId, request.profile, admission);
        return reserve(base, port, admission.wireVid, reservations[mode]);
      });
    } catch (error) {
      if (!(error instanceof RelayError)) throw error;
      this.#refuse(port, request, 'insufficient resources', error.message, true);
      return;
    }
    this.#parts.ports
      .get(port)!
      .do((machine, now) => machine.answer(request.token, { kind: 'accept', filter: admission.filter }, now));
    this.#said(port, 'info', `VSI ${request.vsiId} ${request.mode} at ${port}: granted`);
  }

  #said(port: PortName, level: 'info' | 'warn', message: string): void {
    this.#requestLog.say(port, level, message, this.#parts.clock.now());
  }

  /** @param passing it may be granted when asked again: what the VSI holds here, it keeps */
  #refuse(port: PortName, request: Request, code: VdpErrorCode, reason: string, passing = false): void {
    if (this.#parts.isStopped() || !this.#parts.ports.get(port)!.machine.awaits(request.token)) return;
    this.#said(port, 'warn', `VSI ${request.vsiId} ${request.mode} at ${port}: refused, ${code}: ${reason}`);
    const keep = passing && this.#parts.book.entries.get(request.vsiId)?.attachments.has(port) === true;
    // a station that is refused for good forgets the VSI, and a half-granted profile is no profile
    if (!keep) this.#parts.commits.detach(request.vsiId, port, port);
    this.#parts.ports
      .get(port)!
      .do((machine, now) => machine.answer(request.token, { kind: 'refuse', code, reason, keep }, now));
  }
}

const reservations = {
  'pre-associate': 'pre-associated',
  'pre-associate-rr': 'pre-associated with resource reservation',
} as const satisfies Record<Exclude<Request['mode'], 'associate'>, Reservation>;

/** Whether a station asks for what the VSI is granted, in whatever words: after a restart its own are not known any more. */
function describes({ profile, addresses }: VsiEntry, request: Request): boolean {
  return (
    sameProfile(profile, request.profile) &&
    request.filter.entries.every(({ mac }) => mac === undefined || addresses.includes(mac))
  );
}
