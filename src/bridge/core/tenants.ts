import { isDeepStrictEqual } from 'node:util';
import { unlimited, type TenantLimits } from '../../domain/port-profile.ts';

/** Null: no limits any more. */
export interface Change {
  readonly name: string;
  readonly limits: TenantLimits | null;
}

/** The tenants' limits that are in force on the bridge. A tenant that is not here has none. */
export class Tenants {
  inForce: ReadonlyMap<string, TenantLimits> = new Map();

  /** What has to change for `wanted` to be in force. */
  changes(wanted: ReadonlyMap<string, TenantLimits>): Change[] {
    return [...new Set([...this.inForce.keys(), ...wanted.keys()])].flatMap((name) => {
      const { rate, guaranteed } = wanted.get(name) ?? unlimited;
      const limits = isDeepStrictEqual({ rate, guaranteed }, unlimited) ? null : { rate, guaranteed };
      return isDeepStrictEqual(limits, this.inForce.get(name) ?? null) ? [] : [{ name, limits }];
    });
  }

  make(changes: readonly Change[]): void {
    const next = new Map(this.inForce);
    for (const { name, limits } of changes)
      if (limits) next.set(name, limits);
      else next.delete(name);
    this.inForce = next;
  }
}
