import { concat, hex } from '../../base/octets.ts';
import type { Identifier } from '../lldp/packet.ts';

declare const brand: unique symbol;

/** A port's chassis id and port id as LLDP tells them, in hexadecimal digits: by this systems know each other's ports. */
export type PortIdentity = string & { readonly [brand]: true };

export function portIdentity({
  chassisId,
  portId,
}: {
  readonly chassisId: Identifier;
  readonly portId: Identifier;
}): PortIdentity {
  const octets = [chassisId, portId].map(({ subtype, id }) =>
    concat([Uint8Array.of(id.length, subtype), id]),
  );
  return hex(concat(octets)).slice(2) as PortIdentity;
}
