/** Why a frame was dropped. */
export const dropReasons = [
  'unassociated',
  'armed',
  'moved',
  'access-list',
  'rate',
  'reflective-relay-off',
  'vlan',
  'unknown-destination',
  'error',
  'guard-control',
  'guard-dhcp',
  'guard-ra',
  'guard-address',
  'storm',
  'tenant-rate',
  'same-port',
  'mtu',
  'standby',
] as const;

/**
 * `error`: the kernel could not make or send a copy, where a queue on its way is full for example; it is counted at the
 * port, and of the VSI that it was for. Of a frame's last copy it does not tell: one to a port that is down counts as sent.
 */
export type DropReason = (typeof dropReasons)[number];
