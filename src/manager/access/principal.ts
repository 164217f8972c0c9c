export const principalKinds = ['administrator', 'bridge', 'station'] as const;

/** Who speaks to the manager: an agent is called what it calls itself in its own configuration. */
export interface Principal {
  readonly name: string;
  readonly kind: (typeof principalKinds)[number];
}

/** Where the manager asks for no token, everybody is this one. */
export const anybody: Principal = { name: 'anybody', kind: 'administrator' };
