import { Aging } from '../../base/aging.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import type { EvbOperation } from '../evb/parameters.ts';
import {
  isAssociate,
  vdpModes,
  type AssociateRequest,
  type VdpAnswer,
  type VdpRequest,
} from './association.ts';
import { renews, type BridgeVsi } from './bridge-vsi.ts';
import { sameRequest } from './filter.ts';

/**
 * In draft 0.2 lldpad puts a request into every ECPDU until it has heard the answer, and an answer too many can undo
 * what it does next. ECP brings the first one there, and lldpad acknowledges what it has acted on: an association that
 * it asks for after that, it has not heard of. A de-association it repeats until it is asked by netlink.
 *
 * In the ratified version nothing is remembered, and no request is a repeat.
 */
export class DraftRepeats {
  readonly #operation: () => EvbOperation;
  readonly #mostVsis: number;
  /** what was granted a moment ago: each VSI in each mode at most */
  readonly #granted = new Aging<string>();
  /** what the agent has refused, while the answer is on its way */
  readonly #refused = new Map<VsiId, AssociateRequest>();

  constructor(operation: () => EvbOperation, mostVsis: number) {
    this.#operation = operation;
    this.#mostVsis = mostVsis;
  }

  /** Whether the request was answered already. `vsi` is what the bridge has of it; undefined: nothing. */
  has(request: VdpRequest, vsi: { readonly held: BridgeVsi | null } | undefined, now: number): boolean {
    const { dialect, timing } = this.#operation();
    if (dialect !== 'draft') return false;
    const refused = this.#refused.get(request.vsiId);
    if (refused && sameRequest(refused, request)) return true;
    this.#granted.expire(timing.acknowledgement, now);
    if (this.#granted.since(keyOf(request)) === null) return false;
    return isAssociate(request) ? vsi?.held != null && renews(vsi.held, request) : vsi === undefined;
  }

  /** The answer that grants the request is on its way. */
  granted(request: VdpRequest, now: number): void {
    if (this.#operation().dialect !== 'draft') return;
    this.#granted.touch(keyOf(request), now);
    this.#granted.trim(this.#mostVsis * vdpModes.length);
  }

  /** The answer that refuses the request, after the agent's decision, is on its way. */
  refused(request: AssociateRequest): void {
    if (this.#operation().dialect === 'draft') this.#refused.set(request.vsiId, request);
  }

  /** The answer was acknowledged, or given up. */
  settled(answer: VdpAnswer): void {
    if (answer.refusal) this.#refused.delete(answer.vsiId);
    else if (answer.mode !== 'de-associate') this.#granted.delete(keyOf(answer));
  }

  /** What was refused of the VSI is of no account any more. */
  forgive(vsiId: VsiId): void {
    this.#refused.delete(vsiId);
  }

  /** What ECP had to send is lost. */
  clear(): void {
    this.#granted.clear();
    this.#refused.clear();
  }
}

function keyOf({ mode, vsiId }: VdpRequest | VdpAnswer): string {
  return `${mode} ${vsiId}`;
}
