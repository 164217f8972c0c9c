import { z } from 'zod';

/** An object that refuses a key it does not know, by name, and says which ones it knows. */
export function strict<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys' ? `${Object.keys(shape).join(', ')} would be right` : undefined,
  });
}

/**
 * A key that may be absent. Zod's own exactOptional runs a codec's `encode` on the absent value; JSON has no
 * undefined, so that its optional does the same job, under the type that says so.
 */
export function optional<S extends z.ZodType>(schema: S): z.ZodExactOptional<S> {
  return schema.optional() as unknown as z.ZodExactOptional<S>;
}
