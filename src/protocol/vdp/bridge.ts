import type { FilterInfo } from '../../domain/filter-info.ts';
import { Invalid } from '../../base/invalid.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import { earliest } from '../../base/deadline.ts';
import { Answers, type LastRefusal } from './answers.ts';
import {
  associationOf,
  isAssociate,
  type AssociateRequest,
  type Held,
  type VdpErrorCode,
  type VdpRequest,
} from './association.ts';
import type { ReleaseReason, VdpBridgeOutput } from './bridge-output.ts';
import { renews, type BridgeVsi, type SupervisedVsi } from './bridge-vsi.ts';
import { Decisions } from './decisions.ts';
import { DraftRepeats } from './draft-repeats.ts';
import { grants, sameRequest } from './filter.ts';
import { Inheritance } from './inheritance.ts';
import { filterProblem, type Problem, type VdpLimits } from './limits.ts';
import { Supervision, type Expiry, type SupervisionOptions } from './supervision.ts';
import type { AssociationTlv, VdpTlv } from './tlv.ts';

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

export interface VdpBridgeOptions extends SupervisionOptions {
  readonly limits: VdpLimits;
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

/** In ms: who forgets the bridge, or changes its version, as often as it can is not told of a thousand VSIs each time. */
const confirmationInterval = 1_000;

/**
 * The bridge's VDP machine for one station port (802.1Q 41.5.2), for each VSI:
 *
 *   none ──request──▶ pending ──accept──▶ held ──another request──▶ held and pending
 *     ▲                  │ refuse, wait expired   │
 *     └──────────────────┴─ de-associate, by the bridge, keep-alive expired
 */
export class VdpBridge {
  readonly #options: VdpBridgeOptions;
  readonly #vsis = new Map<VsiId, Vsi>();
  /** requests that the agent decides on */
  readonly #decisions: Decisions;
  /** held VSIs without a pending request */
  readonly #supervision: Supervision;
  readonly #answers: Answers;
  readonly #repeats: DraftRepeats;
  /** held for the station that was here before this one */
  readonly #inherited = new Inheritance();
  /** when the station is to be told what it holds; null: it was, or cannot be */
  #confirmAt: number | null = null;
  #lastConfirmed = -Infinity;

  constructor(options: VdpBridgeOptions) {
    this.#options = options;
    this.#decisions = new Decisions(options.limits.vsis);
    this.#supervision = new Supervision(options, {
      associationOf: (vsiId) => this.associationOf(vsiId),
      release: (vsiId, why) => this.#release(vsiId, why),
    });
    this.#answers = new Answers(options.put);
    this.#repeats = new DraftRepeats(options.operation, options.limits.vsis);
  }

  vsis(): SupervisedVsi[] {
    return Array.from(this.#vsis.values()).flatMap(({ held }) =>
      held ? [{ ...held, heldSince: this.heldSince(held.vsiId) }] : [],
    );
  }

  heldSince(vsiId: VsiId): number | null {
    return this.#supervision.heldSince(vsiId);
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
    return this.#decisions.size;
  }

  get counters(): Answers['counters'] {
    return this.#answers.counters;
  }

  get lastRefusal(): LastRefusal | null {
    return this.#answers.lastRefusal;
  }

  awaits(token: number): boolean {
    return this.#decisions.vsiOf(token) !== undefined;
  }

  receive(tlvs: readonly VdpTlv[], now: number): void {
    for (const tlv of tlvs) {
      if (tlv.kind === 'request') this.#request(tlv, now);
      else if (tlv.kind === 'unusable' && tlv.refusal === null) this.#answers.refuseUnusable(tlv, now);
    }
  }

  /**
   * False if the token is void: the request was withdrawn, replaced or timed out.
   * @throws Invalid if the verdict's filter is no answer to the request's
   */
  answer(token: number, verdict: Verdict, now: number): boolean {
    const vsiId = this.#decisions.vsiOf(token);
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
    this.#answers.leave({ vsiId, profile, filter });
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
    this.#supervision.renew(vsiId, now);
    if (this.#options.operation().dialect === 'ratified') this.#answers.confirm(vsi.held);
  }

  /**
   * Takes over associations that the data plane holds, as if they had been renewed now. What the station asks for
   * meanwhile is still decided on: it waits for the answer.
   */
  adopt(vsis: Iterable<BridgeVsi>, now: number): void {
    for (const held of vsis) {
      const { pending = null, suspended = held.suspended ?? null } = this.#vsis.get(held.vsiId) ?? {};
      this.#vsis.set(held.vsiId, { held: { ...held, since: now }, pending, suspended });
      this.#repeats.forgive(held.vsiId);
      this.#supervision.forget(held.vsiId);
      if (!pending) this.#supervision.renew(held.vsiId, now);
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
      if (vsi.held) this.#supervision.renew(vsiId, now);
      else this.#forget(vsiId, vsi, 'station gone');
    }
    this.#inherited.leave(this.#vsis.keys());
    if (isSure) this.#inherited.confirm(now);
  }

  /** These TLVs were acknowledged, or given up. */
  settled(tlvs: readonly AssociationTlv[]): void {
    for (const tlv of tlvs)
      if (tlv.kind === 'request') this.#answers.left(tlv.vsiId);
      else if (tlv.kind === 'answer') this.#repeats.settled(tlv);
  }

  linkUp(now: number): void {
    this.#supervision.linkUp(now);
  }

  linkDown(now: number): void {
    this.#supervision.linkDown(now);
  }

  /** This machine did not run for a while: what was not heard or decided in time gets its time anew. */
  excuse(now: number): void {
    this.#decisions.excuse(now);
    this.#supervision.excuse(now);
  }

  /**
   * The station can be told things, again or for the first time: what it holds here is confirmed. A keep-alive that
   * fell into the silence is asked only once by lldpad, which would wait for its answer, and then drop the VSI. As
   * after any answer, its next keep-alive comes a whole interval later.
   */
  connected(now: number): void {
    this.#confirmAt = Math.max(now, this.#lastConfirmed + confirmationInterval);
    this.#supervision.connected(this.#confirmAt);
    this.#confirmIfDue(now);
  }

  /** What ECP had to send is lost. */
  disconnected(): void {
    this.#confirmAt = null;
    this.#answers.clear();
    this.#repeats.clear();
  }

  #confirmIfDue(now: number): void {
    if (this.#confirmAt === null || now < this.#confirmAt) return;
    this.#confirmAt = null;
    this.#lastConfirmed = now;
    for (const { held, pending } of this.#vsis.values())
      if (held && !pending) {
        this.#answers.confirm(held);
        this.#supervision.renew(held.vsiId, now);
      }
  }

  tick(now: number): void {
    this.#confirmIfDue(now);
    const { timing } = this.#options.operation();
    for (const vsiId of this.#decisions.overdue(timing.resourceWait, now)) {
      const { request } = this.#vsis.get(vsiId)!.pending!;
      const code = 'unable to contact VSI manager';
      const refusal = { code, keep: true, reason: 'there was no decision in time' } as const;
      this.#turnDown(request, refusal, 'resource wait expired', now);
    }
    for (const vsiId of this.#inherited.expire(timing.keepAliveSupervision, now)) {
      const vsi = this.#vsis.get(vsiId);
      if (vsi) this.#forget(vsiId, vsi, 'station gone');
    }
    this.#supervision.tick(now);
  }

  deadline(): number | null {
    const { timing } = this.#options.operation();
    return earliest(
      this.#confirmAt,
      this.#decisions.deadline(timing.resourceWait),
      this.#inherited.deadline(timing.keepAliveSupervision),
      this.#supervision.deadline(),
    );
  }

  #request(request: VdpRequest, now: number): void {
    const { vsiId } = request;
    const vsi = this.#vsis.get(vsiId);
    if (this.#repeats.has(request, vsi, now)) return;
    this.#options.withdraw(vsiId);
    this.#repeats.forgive(vsiId);
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
      this.#supervision.heard(vsiId, now);
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
    if (this.#answers.isLeaving(vsiId))
      return { code: 'other failure', reason: 'the station has not heard yet that the bridge let go of it' };
    const problem = filterProblem(filter, limits, operation().groupIds);
    if (problem) return problem;
    if (!this.#vsis.has(vsiId) && this.#vsis.size >= limits.vsis)
      return { code: 'insufficient resources', reason: `the port has ${limits.vsis} VSIs already` };
    return null;
  }

  #ask(request: AssociateRequest, now: number): void {
    if (!this.#decisions.take(now)) {
      const reason = 'the station asks for more than can be decided on';
      return this.#turnDown(request, { code: 'insufficient resources', keep: true, reason }, 'refused', now);
    }
    const { mode, vsiId, profile, filter, hints } = request;
    const vsi = this.#vsis.get(vsiId) ?? { held: null, pending: null, suspended: null };
    this.#vsis.set(vsiId, vsi);
    this.#settle(vsiId, vsi);
    const token = this.#decisions.open(vsiId, now);
    vsi.pending = { token, request };
    this.#supervision.suspend(vsiId);
    this.#options.emit({ kind: 'request', token, mode, vsiId, profile, filter, hints });
  }

  #grant(vsi: Vsi, request: AssociateRequest, filter: FilterInfo, now: number): void {
    const { vsiId, profile, mode } = request;
    const association = associationOf(mode);
    const since = vsi.held?.association === association ? vsi.held.since : now;
    vsi.held = { vsiId, association, profile, filter, since };
    vsi.suspended = request.hints.suspended;
    this.#supervision.heard(vsiId, now);
    this.#inherited.claim(vsiId, now);
    this.#succeed(request, filter, now);
  }

  #succeed(request: VdpRequest, filter: FilterInfo, now: number): void {
    if (this.#answers.grant(request, filter)) this.#repeats.granted(request, now);
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
    const { vsiId } = request;
    const vsi = this.#vsis.get(vsiId);
    const keep = mayKeep && vsi !== undefined && this.#canKeep(vsi);
    const answered = this.#answers.refuse(request, { code, keep, hard, reason }, now);
    if (!vsi) return;
    if (answered && vsi.pending?.request === request) this.#repeats.refused(request);
    if (keep) {
      this.#settle(vsiId, vsi);
      this.#supervision.heard(vsiId, now);
    } else this.#forget(vsiId, vsi, lost);
  }

  #release(vsiId: VsiId, why: Expiry): void {
    const vsi = this.#vsis.get(vsiId)!;
    this.#answers.leave(vsi.held!);
    this.#forget(vsiId, vsi, why);
  }

  /** Draft 0.2 has no KEEP: a station that is refused drops what it had. */
  #canKeep({ held }: Vsi): boolean {
    return held !== null && this.#options.operation().dialect === 'ratified';
  }

  #settle(vsiId: VsiId, vsi: Vsi): void {
    if (vsi.pending) this.#decisions.close(vsi.pending.token, vsiId);
    vsi.pending = null;
  }

  #forget(vsiId: VsiId, vsi: Vsi, reason: ReleaseReason | null): void {
    this.#settle(vsiId, vsi);
    this.#supervision.forget(vsiId);
    this.#inherited.forget(vsiId);
    this.#vsis.delete(vsiId);
    if (reason !== null) this.#options.emit({ kind: 'released', vsiId, reason });
  }
}
