/**
 * Why a bridge believes the station at a port.
 *
 * - `signed`: the station is heard, and its control frames bear a signature that was verified.
 * - `pinned`: a signature was verified here before, so nobody unsigned is believed; the station is not heard now.
 * - `first use`: the station cannot sign; it was there first, and keeps the place for a hold time.
 */
export type Trust = 'signed' | 'pinned' | 'first use';
