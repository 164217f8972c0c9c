import { isDeepStrictEqual } from 'node:util';
import { directions, type Direction, type TenantLimits } from '../../../domain/port-profile.ts';
import { checkTenants } from '../../contract/checks.ts';
import { bucketOf, type Tenants } from '../../contract/policy.ts';
import type { DataPlane } from '../memory/data-plane.ts';
import { tenantCount, tenantSize } from '../memory/layout.ts';
import { Pool } from './pool.ts';
import { writeRate } from '../memory/profile.ts';
import type { Share } from '../shaper.ts';
import { Texts, textKinds } from '../memory/texts.ts';

/** of a struct rate, and of the limits of a tenant, of which there are two */
const rateSize = 16;
const halfSize = rateSize * directions.length;

interface HeldTenant {
  readonly number: number;
  readonly limits: TenantLimits;
}

/** A change of the tenants' limits, in the two steps that go before and after the change of the VSIs. */
export interface TenantChange {
  /** whether VSIs that stay as they are have to be looked at */
  readonly concernsVsis: boolean;
  begin(): void;
  finish(): void;
}

/** The driver's tenants: those with limits. */
export class TenantTable {
  readonly #plane: DataPlane;
  readonly #grace: () => void;
  readonly #texts: Texts;
  readonly #pool: Pool;
  #tenants: ReadonlyMap<string, HeldTenant>;
  /** as told last; null: nothing was since they were taken over */
  #told: Tenants | null = null;
  /** what tenants have to themselves at a port with a shaper */
  #shares: readonly Share[];

  /**
   * Takes over the tenants that the data plane holds: their texts say which, and what a process has not brought into force
   * that ended in between is brought now. Programs that began before must have ended.
   */
  constructor(plane: DataPlane, grace: () => void) {
    this.#plane = plane;
    this.#grace = grace;
    this.#texts = new Texts(plane.texts, textKinds.tenant);
    this.#tenants = this.#read();
    this.#shares = sharesOf(this.#tenants);
    const used = new Set(Array.from(this.#tenants.values(), ({ number }) => number));
    this.#pool = new Pool('tenant', tenantCount, used, grace);
    for (const tenant of this.#tenants.values()) this.#limit(tenant);
  }

  held(): Map<string, TenantLimits> {
    return new Map(Array.from(this.#read(), ([name, { limits }]) => [name, limits]));
  }

  get limits(): Tenants {
    return new Map(Array.from(this.#tenants, ([name, { limits }]) => [name, limits]));
  }

  /** 0 for a tenant without limits. */
  number(name: string): number {
    return this.#tenants.get(name)?.number ?? 0;
  }

  get shares(): readonly Share[] {
    return this.#shares;
  }

  /** Reserves what the change needs. @throws RelayError, SystemError */
  prepare(desired: Tenants, undo: DisposableStack): TenantChange {
    // as in almost every association; tenants may be many
    if (desired === this.#told) return noChange;
    checkTenants(desired);
    const before = { tenants: this.#tenants, told: this.#told, shares: this.#shares };
    const changed: { readonly now: HeldTenant; readonly old: HeldTenant | null }[] = [];
    const next = new Map<string, HeldTenant>();
    for (const [name, limits] of desired) {
      const old = before.tenants.get(name) ?? null;
      if (old && isDeepStrictEqual(old.limits, limits)) {
        next.set(name, old);
        continue;
      }
      const number = old?.number ?? this.#take(undo);
      const now = { number, limits };
      next.set(name, now);
      changed.push({ now, old });
      this.#texts.write(number, JSON.stringify({ name, limits }));
      undo.defer(() => {
        if (old) this.#texts.write(number, JSON.stringify({ name, limits: old.limits }));
        else this.#texts.delete(number);
      });
    }
    const removed = [...before.tenants].filter(([name]) => !desired.has(name)).map(([, held]) => held);
    this.#tenants = next;
    this.#told = desired;
    this.#shares = sharesOf(next);
    undo.defer(() => {
      this.#tenants = before.tenants;
      this.#told = before.told;
      this.#shares = before.shares;
    });
    return {
      concernsVsis:
        before.told === null || // its VSIs may not have turned to a tenant that the process before had just made
        removed.length > 0 ||
        changed.some(({ old, now }) => !old || hasToVm(old) !== hasToVm(now)),
      begin: () => {
        if (changed.length) this.#grace(); // programs may still read the limits before the current ones
        for (const { now, old } of changed) {
          if (!old) this.#fill(now.number, directions); // whose number it was before may have emptied them
          this.#limit(now);
        }
      },
      finish: () => {
        for (const { number } of removed) {
          this.#texts.delete(number);
          this.#pool.retire(number);
        }
      },
    };
  }

  #take(undo: DisposableStack): number {
    const number = this.#pool.take();
    undo.defer(() => this.#pool.putBack(number));
    return number;
  }

  /** Writes limits that are not in force beside those that are, and puts them in their place by one store. */
  #limit({ number, limits }: HeldTenant): void {
    const { buffer } = this.#plane.tenants;
    const current = new BigUint64Array(buffer, number * tenantSize, 1);
    const half = (which: bigint) =>
      new Uint8Array(buffer, number * tenantSize + 8 + Number(which) * halfSize, halfSize);
    const wanted = new Uint8Array(halfSize);
    directions.forEach((direction, i) => {
      const rate = limits.rate[direction];
      if (rate) writeRate(new DataView(wanted.buffer), rateSize * i, bucketOf(rate));
    });
    const before = half(current[0]!).slice();
    const changed = directions.filter((_, i) => {
      const [from, to] = [rateSize * i, rateSize * (i + 1)];
      return !isDeepStrictEqual(before.subarray(from, to), wanted.subarray(from, to));
    });
    if (!changed.length) return;
    half(current[0]! ^ 1n).set(wanted);
    Atomics.store(current, 0, current[0]! ^ 1n);
    this.#fill(number, changed);
  }

  #fill(number: number, which: readonly Direction[]): void {
    for (const direction of which)
      Atomics.store(
        this.#plane.tenantBuckets,
        number * directions.length + directions.indexOf(direction),
        0n,
      );
  }

  #read(): Map<string, HeldTenant> {
    const tenants = new Map<string, HeldTenant>();
    for (const number of this.#texts.numbers().toSorted((a, b) => a - b)) {
      const { name, limits } = JSON.parse(this.#texts.read(number)!) as {
        readonly name: string;
        readonly limits: TenantLimits;
      };
      tenants.set(name, { number, limits });
    }
    return tenants;
  }
}

const noChange: TenantChange = { concernsVsis: false, begin() {}, finish() {} };

function sharesOf(tenants: ReadonlyMap<string, HeldTenant>): Share[] {
  return Array.from(tenants.values(), ({ number, limits }) => ({ number, rate: limits.guaranteed })).filter(
    (share): share is Share => share.rate !== null,
  );
}

function hasToVm({ limits }: HeldTenant): boolean {
  return limits.rate['to-vm'] !== undefined;
}
