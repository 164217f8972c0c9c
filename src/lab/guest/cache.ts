import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where downloads are kept between runs. */
export function cacheDirectory(): string {
  const base = process.env['XDG_CACHE_HOME'];
  if (base) return join(base, 'hairpin');
  return process.getuid?.() === 0 ? '/var/cache/hairpin' : join(homedir(), '.cache', 'hairpin');
}
