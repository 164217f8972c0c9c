import { z } from 'zod';
import { limits } from '../domain/limits.ts';
import type { RateLimit, Rates } from '../domain/port-profile.ts';
import { optional, strict } from './strict.ts';

const leastBurst = 16 * 1024;
const secondsWorth = 1;

/**
 * Octets. A second's worth: TCP that has lost a whole window stands still until its retransmission time-out, 200 ms and
 * twice as long each time it fails again, and has to find in the bucket what it left there. `hairpin bench relay` measures it.
 */
function defaultBurst(max: number): number {
  return Math.min(limits.mostBurst, Math.max(leastBurst, Math.ceil((max / 8) * secondsWorth)));
}

export const bitRate = z
  .int()
  .min(limits.rate.least)
  .max(limits.rate.most)
  .meta({ description: 'bits per second' });

const rateLimit = z.codec(
  strict({
    max: bitRate,
    burst: optional(z.int().min(1518).max(limits.mostBurst)).meta({
      description:
        "octets that may come at once after a pause; default a second's worth of max, from 16384 to 2147483647",
    }),
  }),
  z.custom<RateLimit>(),
  {
    decode: ({ max, burst }) => ({ max, burst: burst ?? defaultBurst(max) }),
    encode: ({ max, burst }) => ({ max, burst }),
  },
);

/** {fromVm?, toVm?}: {max: bits per second, burst: octets} */
export const rates = z.codec(
  strict({ fromVm: optional(rateLimit), toVm: optional(rateLimit) }),
  z.custom<Rates>(),
  {
    decode: ({ fromVm, toVm }) => ({ ...(fromVm && { 'from-vm': fromVm }), ...(toVm && { 'to-vm': toVm }) }),
    encode: (value) => ({
      ...(value['from-vm'] && { fromVm: value['from-vm'] }),
      ...(value['to-vm'] && { toVm: value['to-vm'] }),
    }),
  },
);
