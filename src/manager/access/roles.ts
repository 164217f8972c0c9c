import type { Principal } from './principal.ts';

/** What somebody asks the manager to do. All who may speak to it may read its collections. */
export type Deed =
  /** in the agent's own words: what it says of itself, of a VSI or of a migration */
  | { readonly verb: 'speak for'; readonly kind: 'bridge' | 'station' | 'agent'; readonly name: string }
  | { readonly verb: 'change'; readonly what: string }
  | { readonly verb: 'read'; readonly what: 'station keys' };

/** Null where the principal may; else a line that says what it may not, and what would be right. */
export function objection({ name, kind }: Principal, deed: Deed): string | null {
  if (kind === 'administrator') return null;
  switch (deed.verb) {
    case 'speak for':
      // names are compared without case, as administrators write them
      if ((deed.kind === kind || deed.kind === 'agent') && deed.name.toLowerCase() === name.toLowerCase())
        return null;
      return `${kind} ${name} may not speak for ${deed.kind} ${deed.name}; a token of that one would be right`;
    case 'change':
      return `${kind} ${name} may not change ${deed.what}; an administrator's token would be right`;
    case 'read':
      if (kind === 'bridge') return null;
      return `${kind} ${name} may not read ${deed.what}; a bridge's token would be right`;
  }
}
