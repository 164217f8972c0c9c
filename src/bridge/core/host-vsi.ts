import type { MacAddress } from '../../domain/mac-address.ts';
import { plainForwarding } from '../../domain/port-profile.ts';
import { nullVid, type Vid } from '../../domain/vid.ts';
import { parseVsiId, type VsiId } from '../../domain/vsi-id.ts';
import type { PortName, RelayVsi } from '../../relay/contract/relay.ts';

/** A host's own traffic at a station port, as the bridge's configuration declares it. */
export interface Host {
  /** at least one */
  readonly macs: readonly MacAddress[];
  readonly vlan: Vid;
  /** whether its frames carry the VLAN's tag on the link */
  readonly tagged: boolean;
}

/**
 * A declared VSI: associated from the start, never by VDP, not moved and not kept alive. Its first address makes its VSIID,
 * as no two VSIs have the same.
 */
export function hostVsiId({ macs }: Host): VsiId {
  return parseVsiId(`${Buffer.from('host').toString('hex')}-0000-8000-8000-${macs[0]!.replaceAll(':', '')}`);
}

const label = 'host';

export function hostVsi({ macs, vlan, tagged }: Host, port: PortName): RelayVsi {
  return {
    addresses: macs,
    ips: [],
    // no tenant's name has brackets
    policy: { ...plainForwarding, vlan, tenant: '(host)' },
    places: { active: { port, wireVid: tagged ? vlan : nullVid }, armed: null, released: null },
    label,
  };
}

/** Whether a VSI that the data plane holds was declared, by the configuration of that time. */
export function isHostVsi(vsi: RelayVsi): boolean {
  return vsi.label === label;
}
