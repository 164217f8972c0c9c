import { stringify } from 'yaml';
import type { RuleCounts } from '../../bridge/control/rule-counts.ts';
import { table } from '../output.ts';

/** A paragraph for each VSI: its access list with what each rule has decided. */
export function rulesText(lists: readonly RuleCounts[]): string {
  return lists
    .map(({ vsiId, vm, profile, rules, otherwise }) => {
      const rows = rules.map(({ rule, frames }) => [frames ?? '-', written(rule)]);
      return [
        `VSI ${vsiId} (${vm ?? 'unnamed'}), profile ${profile}`,
        table(['FRAMES', 'RULE'], [...rows, [otherwise.frames ?? '-', `otherwise: ${otherwise.action}`]]),
      ].join('\n');
    })
    .join('\n\n');
}

/** As a line of the profile's YAML. */
function written(rule: object): string {
  return stringify(rule, { collectionStyle: 'flow', lineWidth: 0 }).trim();
}
