/** The exponents that bridge and station agree on (802.1Q annex D.2.12). Each operational value is the larger one. */
export interface EvbTimers {
  /** R: how often ECP sends again, 0 to 7 */
  readonly retries: number;
  /** RTE: exponent of the acknowledgement timer, 0 to 31 */
  readonly rte: number;
  /** RWD: exponent of the resource wait delay, 0 to 31 */
  readonly rwd: number;
  /** RKA: exponent of the keep-alive interval, 0 to 31 */
  readonly rka: number;
}

/**
 * 2.56 ms for an acknowledgement and three repeats; 10.5 s each for resources and keep-alive. RTE 8 because lldpad
 * sends at most one ECPDU per acknowledgement time, and loses ECPDUs when that is under its own 2 ms of hand-over.
 */
export const defaultTimers: EvbTimers = { retries: 3, rte: 8, rwd: 20, rka: 20 };

/** All in milliseconds. */
export function acknowledgementTime({ rte }: EvbTimers): number {
  return interval(rte);
}

/** How long the bridge's resources may take (resourceWaitDelay, 802.1Q 41.5.5). */
export function resourceWait({ rwd }: EvbTimers): number {
  return interval(rwd);
}

/** How often a station renews an association (reinitKeepAlive). */
export function keepAliveInterval({ rka }: EvbTimers): number {
  return interval(rka);
}

/** How long a station waits for the answer: the bridge's delay and ECP's both ways, half as much again (waitAnswer). */
export function responseWait(timers: EvbTimers): number {
  return 1.5 * (transfers(timers) + interval(timers.rwd));
}

/** After which a bridge gives up an association that was not renewed (toutKA). */
export function keepAliveSupervision(timers: EvbTimers): number {
  return 1.5 * (transfers(timers) + interval(timers.rka));
}

function transfers({ retries, rte }: EvbTimers): number {
  return (1 + 2 * retries) * interval(rte);
}

function interval(exponent: number): number {
  return 0.01 * 2 ** exponent;
}
