/**
 * What a port's link is: `missing` where no interface has the port's name, `unbound` where the data plane could not be put
 * on it.
 */
export type PortLink = 'up' | 'down' | 'missing' | 'unbound';

/** A port that a second station has disabled is down, whatever its cable. */
export function linkOf(cable: PortLink = 'missing', station?: { readonly link: PortLink }): PortLink {
  return cable === 'up' && station ? station.link : cable;
}
