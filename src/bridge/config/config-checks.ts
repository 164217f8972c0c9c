import { join } from 'node:path';
import { socketPathOctets } from '../../base/socket-path.ts';
import { addressTaken, ofProfileAndTenant, ofVsiAndProfile } from '../../domain/consistency.ts';
import type { Tenant } from '../../domain/tenant.ts';
import type { VsiSpec } from '../../domain/vsi.ts';
import type { MacAddress } from '../../domain/mac-address.ts';
import { vlansOf, type PortProfile } from '../../domain/port-profile.ts';
import { profileKey } from '../../domain/profile-ref.ts';

/** What of a bridge's configuration has to fit together. */
interface Checked {
  readonly manager?: string | undefined;
  readonly token?: string | undefined;
  readonly control?: string | undefined;
  readonly stateDirectory: string;
  readonly tenants?: readonly Tenant[] | undefined;
  readonly profiles?: readonly PortProfile[] | undefined;
  readonly vsis?: readonly VsiSpec[] | undefined;
  readonly ports: Readonly<Record<string, Port>>;
}

type Port =
  | { readonly kind: 'mirror'; readonly session: string }
  | {
      readonly kind: 'station' | 'network';
      readonly shaper?: number | undefined;
      readonly peerDelivery?: true | undefined;
      readonly host?: { readonly macs: readonly MacAddress[] } | undefined;
    };

interface Found {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** What is right by itself and does not go with the rest, each with what would be right. */
export function* contradictions(config: Checked): Generator<Found> {
  const { manager, token, control, stateDirectory, tenants, profiles, vsis, ports } = config;
  for (const [name, port] of Object.entries(ports))
    if (port.kind !== 'mirror' && port.shaper !== undefined && port.peerDelivery)
      yield {
        path: ['ports', name, 'peerDelivery'],
        message:
          'is there beside a shaper, which queues what peer delivery lets past it; one of the two would be right',
      };
  yield* hosts(ports, vsis ?? []);
  const socket = Buffer.byteLength(defaultControl(stateDirectory));
  if (control === undefined && socket > socketPathOctets)
    yield {
      path: ['stateDirectory'],
      message: `is so long that the path of its control.sock has ${socket} octets, of ${socketPathOctets}; a shorter one, or a control of its own, would be right`,
    };
  if (manager !== undefined) {
    if (tenants ?? profiles ?? vsis)
      yield {
        path: ['manager'],
        message: 'is given beside tenants, profiles and vsis; either of the two would be right',
      };
    return;
  }
  if (token !== undefined)
    yield { path: ['token'], message: 'is given without a manager; a manager, or none, would be right' };
  if (profiles && vsis) yield* ofFile({ tenants: tenants ?? [], profiles, vsis, ports });
  else yield { path: ['manager'], message: 'is missing; a manager, or profiles and vsis, would be right' };
}

/** Where the control socket is unless the configuration says otherwise. */
export function defaultControl(stateDirectory: string): string {
  return join(stateDirectory, 'control.sock');
}

/** A host's own addresses are nobody else's. */
function* hosts(ports: Checked['ports'], vsis: readonly VsiSpec[]): Generator<Found> {
  const owners = new Map(vsis.flatMap(({ vsiId, macs }) => macs.map((mac) => [mac, `VSI ${vsiId}'s`])));
  for (const [name, port] of Object.entries(ports))
    for (const mac of (port.kind === 'station' && port.host?.macs) || []) {
      const owner = owners.get(mac);
      if (owner !== undefined)
        yield {
          path: ['ports', name, 'host', 'macs'],
          message: `has ${mac}, which is ${owner}; an address of the host's own would be right`,
        };
      owners.set(mac, `the host's at ${name}`);
    }
}

interface Written {
  readonly tenants: readonly Tenant[];
  readonly profiles: readonly PortProfile[];
  readonly vsis: readonly VsiSpec[];
  readonly ports: Checked['ports'];
}

/** Of what a bridge without a manager is told by the file itself. */
function* ofFile(written: Written): Generator<Found> {
  const { tenants, profiles, vsis } = written;
  yield* twice(
    profiles.map(({ ref }) => profileKey(ref)),
    (i) => ['profiles', i],
  );
  yield* guarantees(written);
  yield* twice(
    tenants.map(({ name }) => name),
    (i) => ['tenants', i, 'name'],
  );
  yield* vlansOfTenants(written);
  yield* mirrors(written);
  yield* twice(
    vsis.map(({ vsiId }) => vsiId),
    (i) => ['vsis', i, 'vsiId'],
  );
  yield* ofVsis(written);
}

function* twice(values: readonly string[], pathOf: (i: number) => Found['path']): Generator<Found> {
  const seen = new Set<string>();
  for (const [i, value] of values.entries())
    if (seen.has(value)) yield { path: pathOf(i), message: `${value} is there twice; once would be right` };
    else seen.add(value);
}

function* guarantees({ tenants, ports }: Written): Generator<Found> {
  const guaranteed = tenants.reduce((sum, { guaranteed }) => sum + (guaranteed ?? 0), 0);
  for (const [name, port] of Object.entries(ports))
    if (port.kind !== 'mirror' && port.shaper !== undefined && guaranteed > port.shaper)
      yield {
        path: ['ports', name, 'shaper'],
        message: `is ${port.shaper}, and the tenants are guaranteed ${guaranteed} together; at least that would be right`,
      };
}

function* vlansOfTenants({ tenants, profiles }: Written): Generator<Found> {
  const byName = new Map(tenants.map((tenant) => [tenant.name, tenant]));
  for (const [i, profile] of profiles.entries()) {
    const tenant = byName.get(profile.tenant);
    if (!tenant) continue;
    for (const { field, message } of ofProfileAndTenant(profile, tenant))
      yield { path: ['profiles', i, field], message };
  }
}

function* mirrors({ profiles, ports }: Written): Generator<Found> {
  const sessions = Object.values(ports).flatMap((port) => (port.kind === 'mirror' ? [port.session] : []));
  for (const [i, { mirror }] of profiles.entries())
    if (mirror && !sessions.includes(mirror.session))
      yield {
        path: ['profiles', i, 'mirror', 'session'],
        message: `${mirror.session} has no port; ${sessions.join(' or ') || 'a mirror port of that session'} would be right`,
      };
}

function* ofVsis({ profiles, vsis }: Written): Generator<Found> {
  const byKey = new Map(profiles.map((profile) => [profileKey(profile.ref), profile]));
  const owners = new Map<string, VsiSpec>();
  for (const [i, vsi] of vsis.entries()) {
    const profile = byKey.get(vsi.profile);
    if (!profile) {
      const right = [...byKey.keys()].join(' or ');
      yield {
        path: ['vsis', i, 'profile'],
        message: `${vsi.profile} is not among the profiles; ${right} would be right`,
      };
      continue;
    }
    for (const { field, message } of ofVsiAndProfile(vsi, profile))
      yield { path: ['vsis', i, field], message };
    for (const mac of vsi.macs)
      for (const vlan of vlansOf(profile)) {
        const owner = owners.get(`${mac} ${vlan}`);
        if (owner && owner.vsiId !== vsi.vsiId)
          yield { path: ['vsis', i, 'macs'], message: addressTaken(mac, vlan, owner) };
        owners.set(`${mac} ${vlan}`, vsi);
      }
  }
}
