import type { VsiId } from '../../domain/vsi-id.ts';
import type { Clock } from '../../base/clock.ts';
import type { PortName, Relay, RelayEvent } from '../../relay/contract/relay.ts';

/** For so long a VM is silent at its old port before it announces itself at another, or after that. */
const silenceMs = 5;

/** When the VM was last heard at a port where it is active, in ns of the data plane's clock. */
export function lastFrame(relay: Relay, vsiId: VsiId, port: PortName): bigint {
  return relay.countersOf(vsiId).get(port)?.lastFrame ?? 0n;
}

/**
 * Calls `silent` if the VM does not speak at `source` any more, and so may have announced itself elsewhere; else the
 * announcement was somebody else's, and `speaks` is called. A VM whose stop was shorter than the silence is waited for.
 */
export function whenSilent(
  { relay, clock }: { readonly relay: Relay; readonly clock: Clock },
  { at }: RelayEvent,
  { vsiId, source }: { readonly vsiId: VsiId; readonly source: PortName | null },
  silent: () => void,
  speaks: (where: PortName) => void,
): void {
  if (!source || lastFrame(relay, vsiId, source) < at - BigInt(silenceMs) * 1_000_000n) {
    silent();
    return;
  }
  clock.at(clock.now() + silenceMs, () => {
    if (lastFrame(relay, vsiId, source) <= at) silent();
    else speaks(source);
  });
}
