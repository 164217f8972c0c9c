import type { VsiStatus } from '../../domain/vsi.ts';

/**
 * What is known of where a VSI is, after one bridge port's word. During a migration two ports speak of the same VSI:
 * "associated" is where it runs, and the other port's reservation or farewell never hides that. Reports of one port
 * count in the order in which they come; between two ports the stronger, then the later one counts. No time may be later
 * than the manager's clock.
 */
export function mergeStatus(known: VsiStatus | null, told: VsiStatus): VsiStatus | null {
  const left = told.association === 'none';
  if (!known) return left ? null : told;
  if (isSamePlace(known, told)) return left ? null : told;
  if (left) return known;
  const [runs, runsThere] = [known, told].map(({ association }) => association === 'associated');
  if (runs !== runsThere) return runs ? known : told;
  return told.at < known.at ? known : told;
}

function isSamePlace(a: VsiStatus, b: VsiStatus): boolean {
  return a.bridge === b.bridge && a.port === b.port;
}
