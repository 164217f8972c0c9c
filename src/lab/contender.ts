import type { Strategy } from '../domain/migration.ts';

/** How a network learns that a VM has moved: Hairpin's strategies, and what a plain learning bridge does by itself. */
export type Contender = Strategy | 'learning';
