import { z } from 'zod';

/**
 * What a machine has written, read by a schema for what people write: keys that the schema does not know are left out, for
 * a later Hairpin has more of them. All else has to be right. `json` is the reader's own, and loses those keys.
 */
export function readTolerantly<T>(schema: z.ZodType<T>, json: unknown): z.ZodSafeParseResult<T> {
  let parsed = schema.safeParse(json);
  // a key that goes may have hidden another one behind it
  for (let i = 0; i < mostLayers && !parsed.success; i++) {
    if (!parsed.error.issues.map((issue) => removeUnknown(json, [], issue)).includes(true)) break;
    parsed = schema.safeParse(json);
  }
  return parsed;
}

/** How a program keeps for its next run what the schema describes; what another version kept is read tolerantly. */
export function keptAs<T>(schema: z.ZodType<T>): {
  /** null for what is none */
  decode(kept: unknown): T | null;
  encode(state: T): unknown;
} {
  return {
    decode: (kept) => readTolerantly(schema, kept).data ?? null,
    encode: (state) => z.encode(schema, state),
  };
}

const mostLayers = 8;

/** True if something was removed. */
function removeUnknown(json: unknown, base: readonly PropertyKey[], issue: z.core.$ZodIssue): boolean {
  const path = [...base, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    const owner = valueAt(json, path);
    if (typeof owner !== 'object' || owner === null) return false;
    return issue.keys
      .map((key) => Reflect.has(owner, key) && Reflect.deleteProperty(owner, key))
      .includes(true);
  }
  // of a union, only an alternative that does not fit because of unknown keys alone
  const fits = (issues: readonly z.core.$ZodIssue[]) =>
    issues.every(({ code }) => code === 'unrecognized_keys');
  if (issue.code === 'invalid_union')
    return (issue.errors.find(fits) ?? []).map((inner) => removeUnknown(json, path, inner)).includes(true);
  return false;
}

function valueAt(json: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined,
    json,
  );
}
