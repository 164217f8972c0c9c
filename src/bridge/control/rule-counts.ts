import { writtenRules } from '../../forms/access-list.ts';
import { Invalid } from '../../base/invalid.ts';
import { profileKey, type ProfileKey } from '../../domain/profile-ref.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import type { Relay } from '../../relay/contract/relay.ts';
import type { BridgeAgent } from '../core/agent.ts';
import type { VmNames } from './vm-names.ts';

/** What the rules of one VSI's access list have decided so far; `frames`: null where the relay does not count. */
export interface RuleCounts {
  readonly vsiId: VsiId;
  /** the VM's name */
  readonly vm: string | null;
  readonly profile: ProfileKey;
  /** each as it is written in the profile */
  readonly rules: readonly { readonly rule: object; readonly frames: number | null }[];
  readonly otherwise: { readonly action: 'allow' | 'deny'; readonly frames: number | null };
}

/** Of the VSIs here that `text`, a VSIID or a VM's name, stands for. @throws Invalid if there is none */
export function ruleCounts(agent: BridgeAgent, relay: Relay, names: VmNames, text: string): RuleCounts[] {
  const vsis = names.here(text);
  if (!vsis.length)
    throw new Invalid(`no VSI "${text}" is at this bridge; "hairpin bridge show" lists those that are`);
  return vsis.map((vsiId) => {
    const { profile, policy } = agent.entries.get(vsiId)!;
    const rules = writtenRules(policy.accessList);
    const counts = relay.ruleFrames(vsiId);
    return {
      vsiId,
      vm: names.of(vsiId),
      profile: profileKey(profile),
      rules: rules.map((rule, i) => ({ rule, frames: counts?.[i] ?? null })),
      otherwise: { action: policy.accessList.otherwise, frames: counts?.[rules.length] ?? null },
    };
  });
}
