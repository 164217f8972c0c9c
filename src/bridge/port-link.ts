/**
 * What a port's link is: `missing` where no interface has the port's name, `unbound` where the data plane could not be put
 * on it.
 */
export type PortLink = 'up' | 'down' | 'missing' | 'unbound';
