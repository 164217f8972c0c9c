import type { Moment } from '../domain/migration.ts';
import type { HypervisorEventKind } from '../hypervisors/event.ts';

/** What the station wants of the bridge for a VM's VSIs: the request, or nothing to ask. */
export type Wish = 'pre-associate-rr' | 'associate' | 'de-associate' | null;

/** What an event means: a request to the bridge, and a moment for the migration's report. */
export interface Meaning {
  readonly wish: Wish;
  readonly moment: Moment | 'abort' | null;
}

/**
 * What this host's VMs are up to, from the hypervisor's events.
 *
 *     (none) ──incoming──▶ arriving ──resumed──▶ here ──stopped──▶ leaving ──left, gone──▶ (none)
 *        │                   │ ▲ │                ▲ ▲                 │
 *        │                   │ └─┘ arrived        │ └─────aborted─────┘
 *        │                   └──aborted, gone──▶ (none)
 *        └──────────────started───────────────────┘
 */
export class VmTable {
  readonly #phases = new Map<string, 'arriving' | 'here' | 'leaving'>();

  /** The names of the VMs that are, will be or were just here. */
  names(): string[] {
    return [...this.#phases.keys()];
  }

  happened(kind: HypervisorEventKind, vm: string): Meaning {
    const phase = this.#phases.get(vm);
    switch (kind) {
      case 'started':
        this.#phases.set(vm, 'here');
        return { wish: 'associate', moment: null };
      case 'incoming':
        this.#phases.set(vm, 'arriving');
        return { wish: 'pre-associate-rr', moment: 'announce' };
      case 'arrived':
        if (phase === 'here' || phase === 'leaving') return nothing;
        this.#phases.set(vm, 'arriving'); // a station that was restarted meanwhile has not heard of `incoming`
        return { wish: 'associate', moment: null };
      case 'resumed':
        this.#phases.set(vm, 'here');
        // asked again although `arrived` may have asked: not every toolstack holds the VM back
        if (phase === 'arriving') return { wish: 'associate', moment: 'resume' };
        return phase === undefined ? { wish: 'associate', moment: null } : nothing;
      case 'stopped':
        if (phase === 'here') this.#phases.set(vm, 'leaving');
        return { wish: null, moment: 'stop' };
      case 'aborted':
        if (phase === 'arriving') {
          this.#phases.delete(vm);
          return { wish: 'de-associate', moment: 'abort' };
        }
        if (phase === 'leaving') this.#phases.set(vm, 'here');
        return nothing;
      case 'left':
      case 'gone':
        if (!this.#phases.delete(vm)) return nothing;
        return { wish: 'de-associate', moment: phase === 'arriving' ? 'abort' : null };
    }
  }
}

const nothing: Meaning = { wish: null, moment: null };
