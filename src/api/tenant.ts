import { z } from 'zod';
import type { TenantLimits } from '../domain/port-profile.ts';
import type { Tenant } from '../domain/tenant.ts';
import { name, vlanRange } from '../forms/fields.ts';
import { bitRate, rates } from '../forms/rate.ts';
import { optional, strict } from '../forms/strict.ts';

/** {name, vlans?: [100, "200-299"], rate: {fromVm, toVm: {max: bits per second, burst: octets}}, guaranteed: bits per second or null} */
export const tenantSchema: z.ZodType<Tenant> = strict({
  name,
  vlans: optional(z.array(vlanRange).max(1000)),
  rate: rates.default({}),
  guaranteed: bitRate.nullable().default(null),
})
  .superRefine(({ rate, guaranteed }, context) => {
    const most = mostOf(rate);
    if (guaranteed === null || guaranteed <= most) return;
    const message = `is ${guaranteed}, and by its rate the tenant may have ${most}; at most that would be right`;
    context.addIssue({ code: 'custom', path: ['guaranteed'], message });
  })
  .meta({ id: 'Tenant' });

/** What it may have in the direction in which it may have more. */
function mostOf(rate: TenantLimits['rate']): number {
  return Math.max(rate['from-vm']?.max ?? Infinity, rate['to-vm']?.max ?? Infinity);
}
