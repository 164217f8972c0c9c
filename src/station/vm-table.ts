import type { Moment } from '../domain/migration.ts';
import type { HypervisorEvent, HypervisorEventKind } from '../hypervisors/event.ts';

/** What the station wants of the bridge for a VM's VSIs: the request, or nothing to ask. */
export type Wish = 'pre-associate-rr' | 'associate' | 'de-associate' | null;

/** What an event means: a request to the bridge, and a moment for the migration's report. */
export interface Meaning {
  /** the guest that it is about; null: no such VM is known here */
  readonly guest: GuestKey | null;
  readonly wish: Wish;
  readonly moment: Moment | 'abort' | null;
}

const makesKnown: ReadonlySet<HypervisorEventKind> = new Set(['started', 'incoming', 'arrived', 'resumed']);

/** One process's VM, or one that a toolstack announced. */
export type GuestKey = number & { readonly __brand: 'GuestKey' };

type Told = Pick<HypervisorEvent, 'kind' | 'vm' | 'process'>;

export type Phase = 'arriving' | 'arrived' | 'here' | 'leaving';

interface Guest {
  readonly vm: string;
  /** null: no process was seen for it */
  readonly process: string | null;
  readonly phase: Phase;
}

/**
 * What this host's VMs are up to, from the hypervisor's events: each process's by itself, since two may have one VM's name.
 *
 *     (none) ──incoming──▶ arriving ──resumed──▶ here ──stopped──▶ leaving ──left, gone──▶ (none)
 *        │                   │ ▲                  ▲ ▲                 │
 *        │                   │ │ arrived          │ └─aborted, resumed┘
 *        │                   │ ▼ ──────resumed────┤
 *        │                   ├─arrived──aborted, gone──▶ (none)
 *        └──────────────started───────────────────┘
 */
export class VmTable {
  readonly #guests = new Map<GuestKey, Guest>();
  #last = 0;

  phase(guest: GuestKey): Phase | null {
    return this.#guests.get(guest)?.phase ?? null;
  }

  happened(told: Told): Meaning {
    const { kind, vm, process } = told;
    const guest = this.#find(told);
    const phase = this.phase(guest);
    const enters = (next: Phase, wish: Wish, moment: Meaning['moment'] = null): Meaning => {
      this.#guests.set(guest, {
        vm,
        process: process ?? this.#guests.get(guest)?.process ?? null,
        phase: next,
      });
      return { guest, wish, moment };
    };
    const leaves = (moment: Meaning['moment'] = null): Meaning => {
      this.#guests.delete(guest);
      return { guest, wish: 'de-associate', moment };
    };
    const nothing: Meaning = { guest, wish: null, moment: null };
    const isComing = phase === 'arriving' || phase === 'arrived';
    if (phase === null && !makesKnown.has(kind)) return { guest: null, wish: null, moment: null };
    switch (kind) {
      case 'started':
        return enters('here', 'associate');
      case 'incoming':
        return enters('arriving', 'pre-associate-rr', 'announce');
      case 'arrived':
        if (phase === 'here' || phase === 'leaving') return nothing;
        return enters('arrived', 'associate'); // a station that was restarted meanwhile has not heard of `incoming`
      case 'resumed':
        if (phase === 'here') return nothing;
        if (phase === 'leaving') return enters('here', 'associate', 'abort');
        // asked again although `arrived` may have asked: not every toolstack holds the VM back
        return enters('here', 'associate', phase === null ? null : 'resume');
      case 'stopped':
        return phase === 'here' ? enters('leaving', null, 'stop') : nothing;
      case 'aborted':
        if (isComing) return leaves('abort');
        // asked for again: the bridge may have let go of it meanwhile
        return phase === 'leaving' ? enters('here', 'associate', 'abort') : nothing;
      case 'nics':
        return { ...nothing, wish: phase === 'arriving' ? 'pre-associate-rr' : 'associate' };
      case 'left':
      case 'gone':
        return leaves(isComing ? 'abort' : null);
    }
  }

  /**
   * A process's own guest; its first event finds the one that a toolstack announced before it was there. A toolstack's word
   * is about the newest of the name; a VM that comes to where it runs already, comes as another process.
   */
  #find({ kind, vm, process }: Told): GuestKey {
    const ofName = [...this.#guests].filter(([, guest]) => guest.vm === vm);
    const found =
      process === undefined
        ? ofName.findLast(
            ([, guest]) => kind !== 'incoming' || guest.phase !== 'here' || guest.process === null,
          )
        : (ofName.find(([, guest]) => guest.process === process) ??
          ofName.find(([, guest]) => guest.process === null));
    return found?.[0] ?? (++this.#last as GuestKey);
  }
}
