import type { FilterInfo } from '../../domain/filter-info.ts';
import { Invalid } from '../../base/invalid.ts';
import type { ProfileRef } from '../../domain/profile-ref.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import { Aging } from '../../base/aging.ts';
import { earliest } from '../../base/deadline.ts';
import type { EvbOperation } from '../evb/parameters.ts';
import { txTtl } from '../lldp/transmitter.ts';
import { TokenBucket, type TokenRate } from '../../base/token-bucket.ts';
import {
  associationOf,
  modeOf,
  noHints,
  vdpModes,
  type Held,
  type Hints,
  type VdpErrorCode,
  type VdpMode,
  type AssociateMode,
  type VdpAnswer,
  type VdpRequest,
} from './association.ts';
import { grants, hasGroupAddress, sameFilter, sameProfile, usesGroups } from './filter.ts';
import type { Hold } from './hold.ts';
import { Inheritance } from './inheritance.ts';
import type { AssociationTlv, UnusableRequest, VdpTlv } from './tlv.ts';

export interface VdpLimits {
  /** VSIs at one port, held and asked for */
  readonly vsis: number;
  /** filter entries of one VSI */
  readonly filterEntries: number;
}

/** More NICs than VMs of one host have, and more addresses than one NIC. */
export const defaultLimits: VdpLimits = { vsis: 1024, filterEntries: 64 };

/** An association that the bridge holds. */
export interface BridgeVsi {
  readonly vsiId: VsiId;
  readonly association: Held;
  readonly profile: ProfileRef;
  /** as granted */
  readonly filter: FilterInfo;
  /** for `adopt`: the station has said that the VM is suspended; absent: what it has said is not known */
  readonly suspended?: true;
}

/** Of the same, when that was by the machine's clock. */
export interface SupervisedVsi extends BridgeVsi {
  /** since when it is associated so, as far as this machine knows */
  readonly since: number;
  /** since when its keep-alives are lost, and it is held all the same; null: they come in time */
  readonly heldSince: number | null;
}

/** What the agent makes of a request. `filter`: the request's with VID 0 replaced; without it, as requested. */
export type Verdict = { readonly kind: 'accept'; readonly filter?: FilterInfo } | Refused;

export interface Refused {
  readonly kind: 'refuse';
  readonly code: VdpErrorCode;
  readonly keep?: boolean;
  readonly hard?: boolean;
  /** one line, for people */
  readonly reason: string;
}

/** For whoever asks why a VM has no network. */
export interface LastRefusal {
  /** null: the request could not be read so far */
  readonly vsiId: VsiId | null;
  readonly mode: VdpMode;
  readonly code: VdpErrorCode;
  readonly reason: string;
  /** in ms of the machine's clock */
  readonly at: number;
}

export type VdpBridgeOutput =
  /** To be answered under `token`. A later request for the same VSI makes the token void. */
  | {
      readonly kind: 'request';
      readonly token: number;
      readonly mode: AssociateMode;
      readonly vsiId: VsiId;
      readonly profile: ProfileRef;
      readonly filter: FilterInfo;
      readonly hints: Hints;
    }
  /** The station repeated what it holds already, and was answered. */
  | { readonly kind: 'renewed'; readonly vsiId: VsiId }
  /**
   * In what it holds, the station says otherwise than before whether the VM is suspended (the S hint). What an association
   * begins with is no news: lldpad repeats the hints of its first request for ever.
   */
  | { readonly kind: 'suspended'; readonly vsiId: VsiId; readonly suspended: boolean }
  /** Its keep-alives are lost, and it is held all the same; false: its station is heard again. */
  | { readonly kind: 'held'; readonly vsiId: VsiId; readonly held: boolean }
  /** The VSI has no association here any more, and none is being decided on: the relay must forget it. */
  | { readonly kind: 'released'; readonly vsiId: VsiId; readonly reason: ReleaseReason };

export type ReleaseReason =
  /** the station de-associated */
  | 'requested'
  | 'keep-alive expired'
  /** its keep-alives were lost, and it was held for as long as the port holds */
  | 'hold time over'
  /** the agent did not answer within the resource wait delay, and nothing was held before */
  | 'resource wait expired'
  /** the agent refused a change without `keep` */
  | 'refused'
  /** the agent called `deassociate` */
  | 'by the bridge'
  /** another station is at the port now, and did not claim it */
  | 'station gone'
  /** two stations are at the port, and it is disabled */
  | 'second station';

export interface VdpBridgeOptions {
  readonly limits: VdpLimits;
  readonly hold: Hold;
  /** whether another place has claimed the VSI, so that it is not held here */
  readonly isElsewhere: (vsiId: VsiId) => boolean;
  /** whether the VM runs here by another's word than its station's, which has only reserved the place */
  readonly isActive: (vsiId: VsiId) => boolean;
  /** what EVB has agreed on at the moment */
  readonly operation: () => EvbOperation;
  /** Hands a TLV over to ECP; false if it cannot be sent. */
  readonly put: (tlv: AssociationTlv) => boolean;
  /** The station asks for something new: what was said of the VSI before must not be taken for the answer. */
  readonly withdraw: (vsiId: VsiId) => void;
  readonly emit: (output: VdpBridgeOutput) => void;
}

interface Vsi {
  held: (BridgeVsi & { readonly since: number }) | null;
  pending: { readonly token: number; readonly request: AssociateRequest } | null;
  /** the S hint as it was last; null: it is not known */
  suspended: boolean | null;
}

interface Problem {
  readonly code: VdpErrorCode;
  readonly reason: string;
}

/**
 * A host that is started or emptied asks for all its VSIs at once, reserved and then associated. After that: lldpad in
 * the ratified version asks for no more than 390 per second, and libvirt, one by one, for fewer.
 */
function decisions({ vsis }: VdpLimits): TokenRate {
  return { rate: 500, burst: 2 * vsis + 500 };
}

/** In ms: who forgets the bridge, or changes its version, as often as it can is not told of a thousand VSIs each time. */
const confirmationInterval = 1_000;

type AssociateRequest = VdpRequest & { readonly mode: AssociateMode };

/**
 * The bridge's VDP machine for one station port (802.1Q 41.5.2), for each VSI:
 *
 *   none ──request──▶ pending ──accept──▶ held ──another request──▶ held and pending
 *     ▲                  │ refuse, wait expired   │
 *     └──────────────────┴─ de-associate, by the bridge, keep-alive expired
 *
 * An association whose keep-alives are lost goes on for as long as the port holds it (`Hold`), unless another place claims
 * the VSI; a pre-association ends, as nothing runs by it.
 */
export class VdpBridge {
  readonly #options: VdpBridgeOptions;
  readonly #vsis = new Map<VsiId, Vsi>();
  readonly #tokens = new Map<number, VsiId>();
  /** held VSIs without a pending request, by the last answer: from then on the station counts its keep-alive */
  readonly #renewed = new Aging<VsiId>();
  /** those of them whose keep-alives are lost, by when that was noticed */
  readonly #lost = new Aging<VsiId>();
  /** since when the link is down */
  #downSince: number | null = null;
  /** pending requests by their arrival */
  readonly #waiting = new Aging<VsiId>();
  /** in draft 0.2, what was granted a moment ago: each VSI in each mode at most */
  readonly #answered = new Aging<string>();
  /** in draft 0.2, what the agent has refused, while the answer is on its way */
  readonly #refused = new Map<VsiId, AssociateRequest>();
  /** de-associated by the bridge, and the station has not acknowledged it */
  readonly #leaving = new Set<VsiId>();
  /** held for the station that was here before this one */
  readonly #inherited = new Inheritance();
  /** what is held does not expire before, as its station may be there and not have been heard yet */
  #unheardUntil = -Infinity;
  /** requests that the agent decides on */
  readonly #decisions: TokenBucket;
  /** when the station is to be told what it holds; null: it was, or cannot be */
  #confirmAt: number | null = null;
  #lastConfirmed = -Infinity;
  #nextToken = 1;
  /** names as in IEEE8021-EVB-MIB */
  readonly counters = { commandsSucceeded: 0, commandsFailed: 0, commandReverts: 0 };
  lastRefusal: LastRefusal | null = null;

  constructor(options: VdpBridgeOptions) {
    this.#options = options;
    this.#decisions = new TokenBucket(decisions(options.limits));
  }

  vsis(): SupervisedVsi[] {
    return Array.from(this.#vsis.values()).flatMap(({ held }) =>
      held ? [{ ...held, heldSince: this.heldSince(held.vsiId) }] : [],
    );
  }

  heldSince(vsiId: VsiId): number | null {
    return this.#lost.since(vsiId);
  }

  /** Null: nothing is held of it. */
  associationOf(vsiId: VsiId): Held | null {
    return this.#vsis.get(vsiId)?.held?.association ?? null;
  }

  /** VSIs held or asked for. */
  get size(): number {
    return this.#vsis.size;
  }

  get pending(): number {
    return this.#tokens.size;
  }

  awaits(token: number): boolean {
    return this.#tokens.has(token);
  }

  receive(tlvs: readonly VdpTlv[], now: number): void {
    for (const tlv of tlvs) {
      if (tlv.kind === 'request') this.#request(tlv, now);
      else if (tlv.kind === 'unusable' && tlv.refusal === null) this.#refuseUnusable(tlv, now);
    }
  }

  /**
   * False if the token is void: the request was withdrawn, replaced or timed out.
   * @throws Invalid if the verdict's filter is no answer to the request's
   */
  answer(token: number, verdict: Verdict, now: number): boolean {
    const vsiId = this.#tokens.get(token);
    const vsi = vsiId === undefined ? undefined : this.#vsis.get(vsiId);
    if (vsiId === undefined || !vsi?.pending) return false;
    const { request } = vsi.pending;
    if (verdict.kind === 'accept') {
      const { filter = request.filter } = verdict;
      if (!grants(filter, request.filter))
        throw new Invalid(
          `the filter granted to ${vsiId} differs in more than an open VID from the one requested`,
        );
      this.#settle(vsiId, vsi);
      this.#grant(vsi, request, filter, now);
    } else this.#turnDown(request, verdict, vsi.held ? 'refused' : null, now);
    return true;
  }

  /** The bridge's own decision; the station is told. */
  deassociate(vsiId: VsiId): void {
    const vsi = this.#vsis.get(vsiId);
    if (!vsi) return;
    const { profile, filter } = vsi.held ?? vsi.pending!.request;
    this.#leave({ vsiId, profile, filter });
    this.#forget(vsiId, vsi, 'by the bridge');
  }

  /**
   * The VM turned out to run here. A station whose ASSOCIATE was lost waits for the answer and lets go of the VSI without
   * one, so it is answered; in draft 0.2, where an answer too many undoes what lldpad does next, it asks again.
   */
  associated(vsiId: VsiId, now: number): void {
    const vsi = this.#vsis.get(vsiId);
    if (!vsi?.held || vsi.pending) return;
    vsi.held = { ...vsi.held, association: 'associated', since: now };
    this.#renewed.touch(vsiId, now);
    if (this.#options.operation().dialect === 'ratified') this.#confirm(vsi.held);
  }

  /**
   * Takes over associations that the data plane holds, as if they had been renewed now. What the station asks for
   * meanwhile is still decided on: it waits for the answer.
   */
  adopt(vsis: Iterable<BridgeVsi>, now: number): void {
    for (const held of vsis) {
      const { pending = null, suspended = held.suspended ?? null } = this.#vsis.get(held.vsiId) ?? {};
      this.#vsis.set(held.vsiId, { held: { ...held, since: now }, pending, suspended });
      this.#refused.delete(held.vsiId);
      this.#lost.delete(held.vsiId);
      if (!pending) this.#renewed.touch(held.vsiId, now);
    }
  }

  /** What was held belonged to a station that cannot be told, as the port is disabled. */
  stationGone(reason: 'second station'): void {
    for (const [vsiId, vsi] of this.#vsis) this.#forget(vsiId, vsi, reason);
  }

  /**
   * Another station is at the port. What was asked for by the one before is void; what it held goes only once this one
   * is confirmed, by its signature (`isSure`) or by the first VSI that it is granted, and does not claim it in time.
   */
  replaced(isSure: boolean, now: number): void {
    for (const [vsiId, vsi] of this.#vsis) {
      this.#settle(vsiId, vsi);
      if (vsi.held) this.#renewed.touch(vsiId, now);
      else this.#forget(vsiId, vsi, 'station gone');
    }
    this.#inherited.leave(this.#vsis.keys());
    if (isSure) this.#inherited.confirm(now);
  }

  /** These TLVs were acknowledged, or given up. */
  settled(tlvs: readonly AssociationTlv[]): void {
    for (const tlv of tlvs)
      if (tlv.kind === 'request') this.#leaving.delete(tlv.vsiId);
      else if (tlv.kind === 'answer' && tlv.refusal) this.#refused.delete(tlv.vsiId);
      else if (tlv.kind === 'answer' && tlv.mode !== 'de-associate') this.#answered.delete(answerKey(tlv));
  }

  /**
   * Keep-alives count only from whom LLDP has named, and a station that did not notice that the agent or the link was
   * gone speaks LLDP when it would have anyway: what is held waits for it, as long as an LLDPDU is good for.
   */
  linkUp(now: number): void {
    this.#downSince = null;
    this.#unheardUntil = now + txTtl * 1_000;
  }

  /** Nobody is awaited any more. */
  linkDown(now: number): void {
    this.#downSince ??= now;
    this.#unheardUntil = now;
  }

  /** This machine did not run for a while: what was not heard or decided in time gets its time anew. */
  excuse(now: number): void {
    this.#waiting.touchAll(now);
    this.#renewed.touchAll(now);
    this.#lost.touchAll(now);
    if (this.#downSince !== null) this.#downSince = now;
  }

  /**
   * The station can be told things, again or for the first time: what it holds here is confirmed. A keep-alive that
   * fell into the silence is asked only once by lldpad, which would wait for its answer, and then drop the VSI. As
   * after any answer, its next keep-alive comes a whole interval later.
   */
  connected(now: number): void {
    this.#confirmAt = Math.max(now, this.#lastConfirmed + confirmationInterval);
    this.#unheardUntil = this.#confirmAt;
    this.#confirmIfDue(now);
  }

  /** What ECP had to send is lost. */
  disconnected(): void {
    this.#confirmAt = null;
    this.#leaving.clear();
    this.#answered.clear();
    this.#refused.clear();
  }

  #confirmIfDue(now: number): void {
    if (this.#confirmAt === null || now < this.#confirmAt) return;
    this.#confirmAt = null;
    this.#lastConfirmed = now;
    for (const { held, pending } of this.#vsis.values())
      if (held && !pending) {
        this.#confirm(held);
        this.#renewed.touch(held.vsiId, now);
      }
  }

  tick(now: number): void {
    this.#confirmIfDue(now);
    const { timing } = this.#options.operation();
    for (const vsiId of this.#waiting.expire(timing.resourceWait, now)) {
      const { request } = this.#vsis.get(vsiId)!.pending!;
      const code = 'unable to contact VSI manager';
      const refusal = { code, keep: true, reason: 'there was no decision in time' } as const;
      this.#turnDown(request, refusal, 'resource wait expired', now);
    }
    for (const vsiId of this.#inherited.expire(timing.keepAliveSupervision, now)) {
      const vsi = this.#vsis.get(vsiId);
      if (vsi) this.#forget(vsiId, vsi, 'station gone');
    }
    if (now < this.#unheardUntil) return;
    for (const vsiId of this.#renewed.expire(timing.keepAliveSupervision, now)) this.#miss(vsiId, now);
    for (const vsiId of this.#lost.expire(this.#isDownForGood(now) ? 0 : this.#options.hold.linkUp, now))
      this.#release(vsiId, 'hold time over');
  }

  /** A station that is heard no more is one thing, and the VM that runs behind it another. Asked again each time it is due. */
  #miss(vsiId: VsiId, now: number): void {
    const { hold, isElsewhere, isActive } = this.#options;
    const { association } = this.#vsis.get(vsiId)!.held!;
    const holds = (this.#downSince === null ? hold.linkUp : hold.linkDown) > 0;
    const runs = association === 'associated' || isActive(vsiId);
    if (!holds || !runs || isElsewhere(vsiId)) {
      this.#release(vsiId, 'keep-alive expired');
      return;
    }
    this.#renewed.touch(vsiId, now);
    if (this.#lost.since(vsiId) !== null) return;
    this.#lost.touch(vsiId, now);
    this.#options.emit({ kind: 'held', vsiId, held: true });
  }

  #release(vsiId: VsiId, reason: ReleaseReason): void {
    const vsi = this.#vsis.get(vsiId)!;
    this.#leave(vsi.held!);
    this.#forget(vsiId, vsi, reason);
  }

  #isDownForGood(now: number): boolean {
    return this.#downSince !== null && now >= this.#downSince + this.#options.hold.linkDown;
  }

  /** When the first VSI that is held is let go of. */
  #heldUntil(): number | null {
    const { linkUp, linkDown } = this.#options.hold;
    const first = this.#lost.deadline(linkUp);
    if (first === null) return null;
    const until = Math.min(first, this.#downSince === null ? Infinity : this.#downSince + linkDown);
    return until === Infinity ? null : until;
  }

  deadline(): number | null {
    const { timing } = this.#options.operation();
    const supervised = earliest(this.#renewed.deadline(timing.keepAliveSupervision), this.#heldUntil());
    return earliest(
      this.#confirmAt,
      this.#waiting.deadline(timing.resourceWait),
      this.#inherited.deadline(timing.keepAliveSupervision),
      supervised === null ? null : Math.max(supervised, this.#unheardUntil),
    );
  }

  #request(request: VdpRequest, now: number): void {
    const { vsiId } = request;
    const vsi = this.#vsis.get(vsiId);
    if (this.#isRepeat(request, vsi, now)) return;
    this.#options.withdraw(vsiId);
    this.#refused.delete(vsiId);
    if (!isAssociate(request)) {
      this.#succeed(request, request.filter, now);
      if (vsi) this.#forget(vsiId, vsi, 'requested');
      return;
    }
    const problem = this.#inadmissible(request);
    if (problem) return this.#turnDown(request, { ...problem, keep: true }, 'refused', now);
    if (vsi?.pending) {
      if (sameRequest(vsi.pending.request, request)) return;
    } else if (vsi?.held && renews(vsi.held, request)) {
      this.#heard(vsiId, now);
      this.#inherited.claim(vsiId, now);
      this.#succeed(request, vsi.held.filter, now);
      this.#options.emit({ kind: 'renewed', vsiId });
      this.#hinted(vsi, request);
      return;
    }
    this.#ask(request, now);
  }

  #hinted(vsi: Vsi, { vsiId, hints: { suspended } }: VdpRequest): void {
    const before = vsi.suspended;
    vsi.suspended = suspended;
    if (before !== null && before !== suspended) this.#options.emit({ kind: 'suspended', vsiId, suspended });
  }

  #inadmissible({ vsiId, filter }: VdpRequest): Problem | null {
    const { limits, operation } = this.#options;
    const { length } = filter.entries;
    if (this.#leaving.has(vsiId))
      return { code: 'other failure', reason: 'the station has not heard yet that the bridge let go of it' };
    if (usesGroups(filter) && !operation().groupIds)
      return { code: 'invalid VID, GroupID or MAC address', reason: 'GroupIDs were not agreed on by EVB' };
    if (hasGroupAddress(filter))
      return { code: 'invalid VID, GroupID or MAC address', reason: "a VM's address is unicast" };
    if (length > limits.filterEntries)
      return {
        code: 'insufficient resources',
        reason: `${length} filter entries; ${limits.filterEntries} fit`,
      };
    if (!this.#vsis.has(vsiId) && this.#vsis.size >= limits.vsis)
      return { code: 'insufficient resources', reason: `the port has ${limits.vsis} VSIs already` };
    return null;
  }

  /**
   * Repeats and keep-alives are answered here and cost little, so lldpad may fill its ECPDUs with them; what the agent has
   * to decide on costs it a look at the manager and a write to the relay. Above what any station needs, requests are
   * refused. Silence would do less: without ECP's acknowledgement lldpad tries for 10 ms more and tells nobody, and
   * without VDP's answer libvirt waits for 10 s, and lldpad's ratified VSI for ever; in draft 0.2 it would ask again in
   * each ECPDU, which is more of the same.
   */
  #ask(request: AssociateRequest, now: number): void {
    if (!this.#decisions.take(now)) {
      const reason = 'the station asks for more than can be decided on';
      return this.#turnDown(request, { code: 'insufficient resources', keep: true, reason }, 'refused', now);
    }
    const { mode, vsiId, profile, filter, hints } = request;
    const vsi = this.#vsis.get(vsiId) ?? { held: null, pending: null, suspended: null };
    this.#vsis.set(vsiId, vsi);
    this.#settle(vsiId, vsi);
    const token = this.#nextToken++;
    vsi.pending = { token, request };
    this.#tokens.set(token, vsiId);
    this.#renewed.delete(vsiId);
    this.#waiting.touch(vsiId, now);
    this.#options.emit({ kind: 'request', token, mode, vsiId, profile, filter, hints });
  }

  #grant(vsi: Vsi, request: AssociateRequest, filter: FilterInfo, now: number): void {
    const { vsiId, profile, mode } = request;
    const association = associationOf(mode);
    const since = vsi.held?.association === association ? vsi.held.since : now;
    vsi.held = { vsiId, association, profile, filter, since };
    vsi.suspended = request.hints.suspended;
    this.#heard(vsiId, now);
    this.#inherited.claim(vsiId, now);
    this.#succeed(request, filter, now);
  }

  /**
   * In draft 0.2 lldpad puts a request into every ECPDU until it has heard the answer, and an answer too many can undo
   * what it does next. ECP brings the first one there, and lldpad acknowledges what it has acted on: an association that
   * it asks for after that, it has not heard of. A de-association it repeats until it is asked by netlink.
   */
  #isRepeat(request: VdpRequest, vsi: Vsi | undefined, now: number): boolean {
    const { dialect, timing } = this.#options.operation();
    if (dialect !== 'draft') return false;
    const refused = this.#refused.get(request.vsiId);
    if (refused && sameRequest(refused, request)) return true;
    this.#answered.expire(timing.acknowledgement, now);
    if (this.#answered.since(answerKey(request)) === null) return false;
    return isAssociate(request) ? vsi?.held != null && renews(vsi.held, request) : vsi === undefined;
  }

  #succeed(request: VdpRequest, filter: FilterInfo, now: number): void {
    this.counters.commandsSucceeded++;
    const { mode, vsiId, profile } = request;
    const { limits, operation, put } = this.#options;
    const answered = put({ kind: 'answer', mode, vsiId, profile, filter, refusal: null });
    if (!answered || operation().dialect !== 'draft') return;
    this.#answered.touch(answerKey(request), now);
    this.#answered.trim(limits.vsis * vdpModes.length);
  }

  #confirm({ vsiId, association, profile, filter }: BridgeVsi): void {
    const mode = modeOf(association);
    this.#options.put({ kind: 'answer', mode, vsiId, profile, filter, refusal: null });
  }

  /**
   * Refuses the request, and by that also what was being decided on. What is held stays if `keep` says so and it can;
   * else the VSI is let go of, which is told with `lost`, if that is not null.
   */
  #turnDown(
    request: AssociateRequest,
    { code, reason, keep: mayKeep = false, hard = false }: Omit<Refused, 'kind'>,
    lost: ReleaseReason | null,
    now: number,
  ): void {
    const { mode, vsiId, profile, filter } = request;
    const vsi = this.#vsis.get(vsiId);
    const keep = mayKeep && vsi !== undefined && this.#canKeep(vsi);
    this.lastRefusal = { vsiId, mode, code, reason, at: now };
    this.counters.commandsFailed++;
    if (keep) this.counters.commandReverts++;
    const { operation, put } = this.#options;
    const answered = put({
      kind: 'answer',
      mode,
      vsiId,
      profile,
      filter,
      refusal: { code, keep, hard, reason },
    });
    if (!vsi) return;
    if (answered && vsi.pending?.request === request && operation().dialect === 'draft')
      this.#refused.set(vsiId, request);
    if (keep) {
      this.#settle(vsiId, vsi);
      this.#heard(vsiId, now);
    } else this.#forget(vsiId, vsi, lost);
  }

  #refuseUnusable(tlv: UnusableRequest, now: number): void {
    const { code, message } = tlv.problem;
    this.lastRefusal = { vsiId: null, mode: tlv.mode, code, reason: message, at: now };
    this.counters.commandsFailed++;
    this.#options.put({ ...tlv, refusal: code });
  }

  #leave({ vsiId, profile, filter }: Omit<BridgeVsi, 'association'>): void {
    const sent = this.#options.put({
      kind: 'request',
      mode: 'de-associate',
      vsiId,
      profile,
      filter,
      hints: noHints,
    });
    if (sent) this.#leaving.add(vsiId);
  }

  /** Its station has spoken of it. */
  #heard(vsiId: VsiId, now: number): void {
    this.#renewed.touch(vsiId, now);
    if (this.#lost.since(vsiId) === null) return;
    this.#lost.delete(vsiId);
    this.#options.emit({ kind: 'held', vsiId, held: false });
  }

  /** Draft 0.2 has no KEEP: a station that is refused drops what it had. */
  #canKeep({ held }: Vsi): boolean {
    return held !== null && this.#options.operation().dialect === 'ratified';
  }

  #settle(vsiId: VsiId, vsi: Vsi): void {
    if (vsi.pending) this.#tokens.delete(vsi.pending.token);
    vsi.pending = null;
    this.#waiting.delete(vsiId);
  }

  #forget(vsiId: VsiId, vsi: Vsi, reason: ReleaseReason | null): void {
    this.#settle(vsiId, vsi);
    this.#renewed.delete(vsiId);
    this.#inherited.forget(vsiId);
    this.#lost.delete(vsiId);
    this.#vsis.delete(vsiId);
    if (reason !== null) this.#options.emit({ kind: 'released', vsiId, reason });
  }
}

function answerKey({ mode, vsiId }: VdpRequest | VdpAnswer): string {
  return `${mode} ${vsiId}`;
}

function isAssociate(request: VdpRequest): request is AssociateRequest {
  return request.mode !== 'de-associate';
}

/** Hints aside: they say how the VM is, not what it asks for. */
function sameRequest(a: VdpRequest, b: VdpRequest): boolean {
  return a.mode === b.mode && sameProfile(a.profile, b.profile) && sameFilter(a.filter, b.filter);
}

/** The VID may be the granted one, or again be left to the bridge. */
function renews(held: BridgeVsi, request: AssociateRequest): boolean {
  return (
    held.association === associationOf(request.mode) &&
    sameProfile(held.profile, request.profile) &&
    grants(held.filter, request.filter)
  );
}
