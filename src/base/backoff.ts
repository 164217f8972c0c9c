/**
 * How long to wait before each next try, in ms: from 100 on twice as long each time up to 5,000, the later half of it
 * by chance, so that many clients do not come back all at once. `random` gives numbers from 0 to below 1.
 */
export function* backoff(random: () => number): Generator<number, never> {
  for (let most = 100; ; most = Math.min(2 * most, 5000)) yield (most / 2) * (1 + random());
}
