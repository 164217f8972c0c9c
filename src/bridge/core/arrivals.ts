import type { FilterInfo } from '../../domain/filter-info.ts';
import { parseProfileKey, type ProfileRef } from '../../domain/profile-ref.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import type { Neighbour } from '../../protocol/lldp/neighbour.ts';
import type { PortName, RelayEvent } from '../../relay/contract/relay.ts';
import { newEntry } from './admission.ts';
import { Announcements, type Heed } from './announcements.ts';
import type { Commits } from './commits.ts';
import type { Entitlement } from './directory.ts';
import { Enquiries } from './enquiries.ts';
import type { Entitlements } from './entitlements.ts';
import type { EntryBook } from './entry-book.ts';
import type { Flips } from './flips.ts';
import type { BridgeAgentParts } from './parts.ts';
import type { Reports } from './reports.ts';
import { lastFrame, whenSilent } from './silence.ts';
import type { StationPorts } from './station-ports.ts';
import { activate, detach, flip, places, type VsiEntry } from './vsi-entry.ts';

export interface ArrivalsParts extends Pick<
  BridgeAgentParts,
  'relay' | 'clock' | 'directory' | 'limits' | 'log'
> {
  readonly book: EntryBook;
  /** where the administrator says whether announcements count */
  readonly heeds: ReadonlyMap<PortName, Heed>;
  readonly ports: Pick<StationPorts, 'get' | 'isSigned' | 'believed' | 'adoptVsi'>;
  readonly flips: Pick<Flips, 'believes'>;
  readonly entitlements: Pick<Entitlements, 'admit' | 'held'>;
  readonly commits: Pick<Commits, 'attempt'>;
  readonly reports: Pick<Reports, 'countsOf' | 'passed'>;
  readonly isStopped: () => boolean;
}

/** VMs that announce themselves where they are armed, or where a migration follows their announcements. */
export class Arrivals {
  readonly #parts: ArrivalsParts;
  readonly #announcements: Announcements;
  readonly #enquiries: Enquiries;

  constructor(parts: ArrivalsParts) {
    this.#parts = parts;
    this.#announcements = new Announcements(parts.heeds);
    this.#enquiries = new Enquiries(parts.directory, parts.limits.vsis);
  }

  /** A station has said who it is: what was announced at its port before that may count now. */
  stationMet(port: PortName, neighbour: Neighbour): void {
    for (const event of this.#announcements.met(port, neighbour)) this.announced(event);
  }

  /** A VM has announced itself at a port from which it may not send. */
  announced(event: RelayEvent): void {
    const armed = this.#parts.book.owners(event.mac).filter((entry) => isArmedBy(entry, event));
    if (armed.length && this.#announcements.counts(event, this.#parts.ports.isSigned(event.port)))
      for (const { vsiId, profile, active } of armed.filter(({ vsiId }) =>
        this.#parts.flips.believes(vsiId, event.port),
      ))
        this.#unlessItSpeaks(event, vsiId, active, () =>
          this.#enquiries.settle(event.port, {
            vsiId,
            profile,
            answered: (entitlement) => this.#arrive(event, vsiId, active, entitlement),
            failed: (error) => this.#unheard(event, error.message),
          }),
        );
    this.#announcedUnarmed(event);
  }

  /** The classical way: the switch has seen the VM speak on another port, and fetches and sets its profile there now. */
  #announcedUnarmed(event: RelayEvent): void {
    const { directory } = this.#parts;
    for (const grant of directory.owners(event.mac)) {
      const source = this.#parts.book.entries.get(grant.vsiId)?.active ?? null;
      if (source === event.port || !directory.followsAnnouncements(grant.vsiId)) continue;
      if (this.#parts.ports.get(event.port)?.machine.isDisabled) continue;
      const profile = parseProfileKey(grant.profile);
      const { vsiId } = grant;
      this.#unlessItSpeaks(event, vsiId, source, () =>
        this.#enquiries.make(event.port, {
          vsiId,
          profile,
          answered: (entitlement) => this.#follow(event, { vsiId, profile, source }, entitlement),
          failed: (error) => this.#unheard(event, error.message),
        }),
      );
    }
  }

  /** Goes on if the announcement can be the VM's own. */
  #unlessItSpeaks(event: RelayEvent, vsiId: VsiId, source: PortName | null, then: () => void): void {
    whenSilent(this.#parts, event, { vsiId, source }, then, (where) =>
      this.#unheard(event, `it still speaks on ${where}`),
    );
  }

  /** While the manager was asked, the VM may have spoken at its source: the announcement was somebody else's. */
  #hasSpokenSince(event: RelayEvent, vsiId: VsiId, source: PortName | null): boolean {
    if (source === null || lastFrame(this.#parts.relay, vsiId, source) <= event.at) return false;
    this.#unheard(event, `it still speaks on ${source}`);
    return true;
  }

  #unheard({ mac, port }: RelayEvent, reason: string): void {
    this.#parts.log('warn', `announcement of ${mac} on ${port} ignored: ${reason}`);
  }

  /** The VM runs where its station has announced it: as if the station had associated it, which it may still do. */
  #arrive(event: RelayEvent, vsiId: VsiId, source: PortName | null, entitlement: Entitlement): void {
    const entry = this.#parts.book.get(vsiId);
    // it was moved, or given up, meanwhile
    if (this.#parts.isStopped() || !entry || entry.active !== source || !isArmedBy(entry, event)) return;
    if (this.#hasSpokenSince(event, vsiId, source)) return;
    const { port } = event;
    const attachment = entry.attachments.get(port)!;
    const admission = this.#parts.entitlements.admit(
      this.#parts.entitlements.held(entry, port, attachment),
      entitlement,
    );
    if (!admission.admitted) {
      this.#unheard(event, admission.reason);
      return;
    }
    if (!this.#parts.commits.attempt(vsiId, port, (now) => now && flip(now, 'announcement'))) return;
    this.#parts.log('info', `VSI ${vsiId} announces itself at ${port}: active for now`);
    this.#parts.ports.get(port)!.do((machine, now) => machine.associated(vsiId, now));
  }

  #follow(
    event: RelayEvent,
    { vsiId, profile: ref, source }: { vsiId: VsiId; profile: ProfileRef; source: PortName | null },
    { grant, profile }: Entitlement,
  ): void {
    const filter: FilterInfo = {
      format: 'mac-vid',
      entries: (grant?.macs ?? []).map((mac) => ({ mac, vid: event.wireVid })),
    };
    const application = { vsiId, profile: ref, filter, station: this.#parts.ports.believed(event.port) };
    const admission = this.#parts.entitlements.admit(application, { grant, profile });
    if (!admission.admitted) {
      this.#unheard(event, admission.reason);
      return;
    }
    const known = this.#parts.book.get(vsiId);
    const driver = this.#parts.ports.get(event.port);
    if (!driver || driver.machine.isDisabled) return;
    if (this.#parts.isStopped() || (known?.active ?? null) !== source) return; // it was moved meanwhile
    if (this.#hasSpokenSince(event, vsiId, source)) return;
    const arrived = activate(newEntry(known, vsiId, ref, admission), event.port, admission.wireVid);
    if (!this.#parts.commits.attempt(vsiId, event.port, () => (source ? detach(arrived, source) : arrived)))
      return;
    // from now on its station has to keep it alive, as if it had asked for it
    this.#parts.ports.adoptVsi(event.port, vsiId);
    // where the source had let go before, nothing else tells that this was a migration
    if (source) return;
    const counts = this.#parts.reports.countsOf(this.#parts.book.get(vsiId)!);
    for (const moment of ['active', 'release'] as const)
      this.#parts.reports.passed(vsiId, { moment, source, destination: event.port }, counts);
  }
}

/** Whether the VSI is armed where it announces itself. */
function isArmedBy(entry: VsiEntry, { reason, port, wireVid }: RelayEvent): boolean {
  const { armed } = places(entry);
  return reason === 'armed' && armed?.port === port && armed.wireVid === wireVid;
}
