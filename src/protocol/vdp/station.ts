import type { Association } from '../../domain/association.ts';
import type { FilterInfo } from '../../domain/filter-info.ts';
import type { ProfileRef } from '../../domain/profile-ref.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import { Aging } from '../../base/aging.ts';
import { earliest } from '../../base/deadline.ts';
import type { EvbOperation } from '../evb/parameters.ts';
import {
  associationOf,
  modeOf,
  noHints,
  type Hints,
  type Held,
  type VdpAnswer,
  type VdpErrorCode,
  type VdpMode,
  type VdpRequest,
} from './association.ts';
import { grants, sameFilter, sameProfile } from './filter.ts';
import type { VdpTlv } from './tlv.ts';

/** A VSI as the hypervisor describes it. */
export interface VsiDescription {
  readonly vsiId: VsiId;
  readonly profile: ProfileRef;
  /** VID 0: the bridge chooses */
  readonly filter: FilterInfo;
  readonly hints?: Hints;
}

/** A VSI as the station's machine has it. */
export interface StationVsi {
  readonly vsiId: VsiId;
  readonly profile: ProfileRef;
  readonly association: Association;
  /** what was asked for last */
  readonly mode: VdpMode;
  /** as granted, or as asked for while nothing is granted */
  readonly filter: FilterInfo;
  /** "waiting": for EVB to be negotiated; "asking": for the bridge's answer */
  readonly phase: 'waiting' | 'asking' | 'settled';
}

export type VdpStationOutput =
  /** Every `request` gets one, and a keep-alive only if the bridge answers it with another filter. */
  | {
      readonly kind: 'granted';
      readonly vsiId: VsiId;
      readonly association: Held;
      readonly filter: FilterInfo;
    }
  | {
      readonly kind: 'refused';
      readonly vsiId: VsiId;
      readonly code: VdpErrorCode;
      readonly hard: boolean;
      /** in the bridge's own words, if it is Hairpin's */
      readonly reason: string | null;
      /** what the VSI still has */
      readonly association: Association;
    }
  /** No answer in time. `retrying`: something was granted before, so the station goes on asking; else it gave up. */
  | { readonly kind: 'timed out'; readonly vsiId: VsiId; readonly retrying: boolean }
  | { readonly kind: 'deassociated'; readonly vsiId: VsiId; readonly by: 'bridge' | 'self' };

export interface VdpStationOptions {
  readonly operation: () => EvbOperation;
  /** Hands a TLV over to ECP; false if it cannot be sent. */
  readonly put: (request: VdpRequest) => boolean;
  readonly emit: (output: VdpStationOutput) => void;
}

interface Granted {
  readonly description: VsiDescription;
  readonly association: Held;
  readonly filter: FilterInfo;
}

interface Vsi {
  description: VsiDescription;
  mode: VdpMode;
  phase: StationVsi['phase'];
  /** the agent waits for the answer; a keep-alive is the machine's own affair */
  reporting: boolean;
  /** what the bridge granted last, and still holds as far as is known */
  granted: Granted | null;
}

/**
 * The station's VDP machine (802.1Q 41.5.3), for each VSI:
 *
 *   waiting ──EVB negotiated──▶ asking ──granted──▶ settled ──keep-alive──▶ asking
 *
 * A request that nobody answers is given up, but what was granted once is asked for again until the bridge answers:
 * a bridge agent that is being restarted must not cost a VM its port.
 */
export class VdpStation {
  readonly #options: VdpStationOptions;
  readonly #vsis = new Map<VsiId, Vsi>();
  readonly #asking = new Aging<VsiId>();
  readonly #settled = new Aging<VsiId>();
  #connected = false;
  readonly counters = { commandsSucceeded: 0, commandsFailed: 0, commandReverts: 0 };

  constructor(options: VdpStationOptions) {
    this.#options = options;
  }

  vsis(): StationVsi[] {
    return Array.from(this.#vsis.values(), ({ description, mode, phase, granted }) => ({
      vsiId: description.vsiId,
      profile: description.profile,
      association: granted?.association ?? 'none',
      mode,
      filter: granted?.filter ?? description.filter,
      phase,
    }));
  }

  get size(): number {
    return this.#vsis.size;
  }

  /** A de-associate of what was never asked for is sent too: the bridge may remember what the agent forgot. */
  request(description: VsiDescription, mode: VdpMode, now: number): void {
    const { vsiId } = description;
    const known = this.#vsis.get(vsiId);
    if (mode === 'de-associate' && known?.phase === 'waiting' && known.granted === null) {
      this.#remove(vsiId);
      this.#options.emit({ kind: 'deassociated', vsiId, by: 'self' });
      return;
    }
    const granted = known?.granted ?? null;
    this.#vsis.set(vsiId, { description, mode, phase: 'waiting', reporting: true, granted });
    if (this.#connected) this.#ask(vsiId, now);
  }

  /**
   * What the station knows of the VM has changed: said at once, by asking once more for what was asked for last, and with
   * every renewal. A VSI that is not asked for has nothing to be said of.
   */
  hint(vsiId: VsiId, change: Partial<Hints>, now: number): void {
    const vsi = this.#vsis.get(vsiId);
    if (!vsi || vsi.mode === 'de-associate') return;
    const before = vsi.description.hints ?? noHints;
    const hints = { ...before, ...change };
    if (hints.migrating === before.migrating && hints.suspended === before.suspended) return;
    vsi.description = { ...vsi.description, hints };
    const { granted } = vsi;
    if (granted) vsi.granted = { ...granted, description: { ...granted.description, hints } };
    if (vsi.phase !== 'waiting' && this.#options.operation().dialect === 'ratified') this.#ask(vsiId, now);
  }

  /** EVB is negotiated: everything is asked for, again or at last. */
  connected(now: number): void {
    this.#connected = true;
    for (const vsiId of this.#vsis.keys()) this.#ask(vsiId, now);
  }

  disconnected(): void {
    this.#connected = false;
    this.#asking.clear();
    this.#settled.clear();
    for (const vsi of this.#vsis.values()) vsi.phase = 'waiting';
  }

  receive(tlvs: readonly VdpTlv[], now: number): void {
    for (const tlv of tlvs) {
      if (tlv.kind === 'answer') this.#answered(tlv, now);
      else if (tlv.kind === 'request' && tlv.mode === 'de-associate') this.#dropped(tlv.vsiId);
    }
  }

  /** Also when both sides let go at once; in draft 0.2 the bridge's own de-associate and its answer are alike. */
  #dropped(vsiId: VsiId): void {
    const vsi = this.#vsis.get(vsiId);
    if (!vsi) return;
    const wished = vsi.mode === 'de-associate' && vsi.phase === 'asking';
    if (wished) this.counters.commandsSucceeded++;
    this.#remove(vsiId);
    this.#options.emit({ kind: 'deassociated', vsiId, by: wished ? 'self' : 'bridge' });
  }

  /** This machine did not run for a while: an answer may wait to be read. */
  excuse(now: number): void {
    this.#asking.touchAll(now);
  }

  tick(now: number): void {
    const { timing } = this.#options.operation();
    for (const vsiId of this.#settled.expire(timing.keepAlive, now)) this.#ask(vsiId, now);
    for (const vsiId of this.#asking.expire(timing.responseWait, now)) this.#timedOut(vsiId, now);
  }

  deadline(): number | null {
    const { timing } = this.#options.operation();
    return earliest(this.#settled.deadline(timing.keepAlive), this.#asking.deadline(timing.responseWait));
  }

  #ask(vsiId: VsiId, now: number): void {
    const vsi = this.#vsis.get(vsiId)!;
    const { profile, filter, hints = noHints } = vsi.description;
    vsi.phase = 'asking';
    this.#settled.delete(vsiId);
    this.#asking.touch(vsiId, now);
    this.#options.put({ kind: 'request', mode: vsi.mode, vsiId, profile, filter, hints });
  }

  #answered(answer: VdpAnswer, now: number): void {
    const { vsiId, mode, filter, refusal } = answer;
    const vsi = this.#vsis.get(vsiId);
    if (!vsi || vsi.phase !== 'asking' || mode !== vsi.mode || !answers(answer, vsi.description)) return;
    if (refusal) this.counters.commandsFailed++;
    else this.counters.commandsSucceeded++;

    if (mode === 'de-associate') {
      this.#remove(vsiId);
      this.#options.emit({ kind: 'deassociated', vsiId, by: 'self' });
      return;
    }
    if (refusal) {
      this.#refused(vsi, refusal, now);
      return;
    }
    const association = associationOf(mode);
    const changed = vsi.granted?.association !== association || !sameFilter(vsi.granted.filter, filter);
    const report = vsi.reporting || changed;
    vsi.granted = { description: vsi.description, association, filter };
    this.#settle(vsi, now);
    if (report) this.#options.emit({ kind: 'granted', vsiId, association, filter });
  }

  #refused(vsi: Vsi, refusal: NonNullable<VdpAnswer['refusal']>, now: number): void {
    const { code, keep, hard, reason = null } = refusal;
    const { vsiId } = vsi.description;
    const held = keep ? vsi.granted : null;
    if (held === null) this.#remove(vsiId);
    else {
      this.counters.commandReverts++;
      vsi.mode = modeOf(held.association);
      vsi.description = held.description;
      this.#settle(vsi, now);
    }
    const association = held?.association ?? 'none';
    this.#options.emit({ kind: 'refused', vsiId, code, hard, reason, association });
  }

  #timedOut(vsiId: VsiId, now: number): void {
    const { mode, granted } = this.#vsis.get(vsiId)!;
    if (mode === 'de-associate') {
      this.#remove(vsiId);
      this.#options.emit({ kind: 'deassociated', vsiId, by: 'self' });
    } else if (granted === null) {
      this.#remove(vsiId);
      this.#options.emit({ kind: 'timed out', vsiId, retrying: false });
    } else {
      this.#ask(vsiId, now);
      this.#options.emit({ kind: 'timed out', vsiId, retrying: true });
    }
  }

  #settle(vsi: Vsi, now: number): void {
    vsi.phase = 'settled';
    vsi.reporting = false;
    this.#asking.delete(vsi.description.vsiId);
    this.#settled.touch(vsi.description.vsiId, now);
  }

  #remove(vsiId: VsiId): void {
    this.#vsis.delete(vsiId);
    this.#asking.delete(vsiId);
    this.#settled.delete(vsiId);
  }
}

function answers({ profile, filter }: VdpAnswer, asked: VsiDescription): boolean {
  return sameProfile(profile, asked.profile) && grants(filter, asked.filter);
}
