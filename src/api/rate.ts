import { z } from 'zod';
import type { RateLimit, Rates } from '../domain/port-profile.ts';
import { optional, strict } from './strict.ts';

const leastBurst = 16 * 1024;

/** 25 ms worth, so that a TCP sender's bursts fit; at least 16 KiB. */
function defaultBurst(max: number): number {
  return Math.max(leastBurst, Math.ceil((max / 8) * 0.025));
}

const rateLimit = z.codec(
  strict({
    max: z.int().min(8000).max(1e12).meta({ description: 'bits per second' }),
    burst: optional(
      z
        .int()
        .min(1518)
        .max(2 ** 31 - 1),
    ).meta({ description: 'octets; default 25 ms worth' }),
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
