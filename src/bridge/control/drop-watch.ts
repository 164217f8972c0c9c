import { macFromBytes } from '../../domain/mac-address.ts';
import type { Timestamp } from '../../domain/migration.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import type { DropSample, PortName, Relay } from '../../relay/contract/relay.ts';
import type { DropReason } from '../../domain/drop-reason.ts';
import type { Grant } from '../../domain/vsi.ts';
import { frameSummary } from './frame-summary.ts';
import { idIn, type VmNames } from './vm-names.ts';

/** One dropped frame, as `hairpin bridge drops --follow --json` prints it. */
export interface ShownDrop {
  readonly at: Timestamp;
  readonly port: PortName;
  /** whose it was as far as that is known; a VSI that is not associated here is known by its address */
  readonly vsi: VsiId | null;
  /** the VM's name */
  readonly vm: string | null;
  readonly reason: DropReason;
  /** of the tag that it came with, 0 without one; null: the relay does not tell */
  readonly vid: number | null;
  readonly octets: number;
  /** addresses, protocol, ports and the like, in one line */
  readonly summary: string;
  /** its first octets without its tag, in hexadecimal */
  readonly frame: string;
}

/** So many samples did not get to the follower, which was too slow for them. */
export interface Lost {
  readonly lost: number;
}

/** Absent: all of them. `vsi`: a VSIID or a VM's name. */
export interface DropFilter {
  readonly port?: PortName | undefined;
  readonly vsi?: string | undefined;
  readonly reason?: DropReason | undefined;
}

/** Samples that wait for one follower. */
const mostWaiting = 1000;

/** The relay's samples of dropped frames, for any number of followers. The relay takes none while there is none. */
export class DropWatch {
  readonly #relay: Relay;
  readonly #names: VmNames;
  readonly #stampOf: (monotonic: bigint) => Timestamp;
  readonly #followers = new Set<(drop: ShownDrop) => void>();
  #stop: () => void = () => {};

  constructor(relay: Relay, names: VmNames, stampOf: (monotonic: bigint) => Timestamp) {
    this.#relay = relay;
    this.#names = names;
    this.#stampOf = stampOf;
  }

  /** The samples from now on until `gone`. A follower that does not keep up loses some, and is told how many at that place. */
  follow(filter: DropFilter, gone: AbortSignal): AsyncIterable<ShownDrop | Lost> {
    const waiting: ShownDrop[] = [];
    let lost = 0;
    let wake = Promise.withResolvers<void>();
    const matches = matcher(filter);
    const listener = (drop: ShownDrop): void => {
      if (!matches(drop)) return;
      if (lost || waiting.length === mostWaiting) lost++;
      else waiting.push(drop);
      wake.resolve();
    };
    gone.addEventListener('abort', () => wake.resolve(), { once: true });
    this.#add(listener);
    const remove = () => this.#remove(listener);
    return (async function* () {
      try {
        while (!gone.aborted) {
          const drop = waiting.shift();
          if (drop) yield drop;
          else if (lost) {
            const told = { lost };
            lost = 0;
            yield told;
          } else {
            await wake.promise;
            wake = Promise.withResolvers();
          }
        }
      } finally {
        remove();
      }
    })();
  }

  #add(listener: (drop: ShownDrop) => void): void {
    this.#followers.add(listener);
    if (this.#followers.size > 1) return;
    this.#stop = this.#relay.watchDrops((sample) => {
      const drop = this.#shown(sample);
      for (const follower of this.#followers) follower(drop);
    });
  }

  #remove(listener: (drop: ShownDrop) => void): void {
    this.#followers.delete(listener);
    if (!this.#followers.size) this.#stop();
  }

  /** Whose a frame is that is no VSI's here: by where it came from, or was to go. */
  #ownerOf(frame: Uint8Array): Grant | undefined {
    if (frame.length < 12) return undefined;
    return this.#names.owner(macFromBytes(frame, 6)) ?? this.#names.owner(macFromBytes(frame, 0));
  }

  #shown({ port, reason, vsi, at, wireVid, octets, frame }: DropSample): ShownDrop {
    const owner = vsi === null ? this.#ownerOf(frame) : undefined;
    return {
      at: this.#stampOf(at),
      port,
      vsi: vsi ?? owner?.vsiId ?? null,
      vm: vsi === null ? (owner?.name ?? null) : this.#names.of(vsi),
      reason,
      vid: wireVid ?? null,
      octets,
      summary: frameSummary(frame),
      frame: Buffer.from(frame).toString('hex'),
    };
  }
}

function matcher({ port, vsi, reason }: DropFilter): (drop: ShownDrop) => boolean {
  const vsiId = vsi === undefined ? null : idIn(vsi);
  return (drop) =>
    (port === undefined || drop.port === port) &&
    (reason === undefined || drop.reason === reason) &&
    (vsi === undefined || (vsiId === null ? drop.vm === vsi : drop.vsi === vsiId));
}
