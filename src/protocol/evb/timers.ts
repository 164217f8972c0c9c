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

/** What ECP and VDP wait for, in ms. */
export interface Timing {
  /** how often ECP sends again */
  readonly retries: number;
  /** how long ECP waits for an acknowledgement */
  readonly acknowledgement: number;
  /** how long the bridge's resources may take (resourceWaitDelay, 802.1Q 41.5.5) */
  readonly resourceWait: number;
  /** how long a station waits for the answer: the bridge's delay and ECP's both ways, half as much again (waitAnswer) */
  readonly responseWait: number;
  /** how often a station renews an association (reinitKeepAlive) */
  readonly keepAlive: number;
  /** after which a bridge gives up an association that was not renewed (toutKA) */
  readonly keepAliveSupervision: number;
}

export function timingOf({ retries, rte, rwd, rka }: EvbTimers): Timing {
  const transfers = (1 + 2 * retries) * interval(rte);
  return {
    retries,
    acknowledgement: interval(rte),
    resourceWait: interval(rwd),
    responseWait: 1.5 * (transfers + interval(rwd)),
    keepAlive: interval(rka),
    keepAliveSupervision: 1.5 * (transfers + interval(rka)),
  };
}

/**
 * In draft 0.2 times are constants, whatever the EVB TLV says; the station's are lldpad's. A bridge decides a second
 * before the station gives up, and misses a keep-alive before it does.
 */
export const draftTiming: Timing = {
  retries: 2,
  acknowledgement: 500,
  resourceWait: 2_000,
  responseWait: 3_000,
  keepAlive: 10_000,
  keepAliveSupervision: 22_000,
};

function interval(exponent: number): number {
  return 0.01 * 2 ** exponent;
}
