import type { z } from 'zod';
import { name } from './forms.ts';
import { strict } from './strict.ts';

/** Who owns port profiles and VSIs. */
export interface Tenant {
  readonly name: string;
}

/** {name} */
export const tenantSchema: z.ZodType<Tenant> = strict({ name }).meta({ id: 'Tenant' });
