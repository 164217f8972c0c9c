import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { pino } from 'pino';
import { ApiClient, type ClientOptions } from '../../../src/client/client.ts';
import type { Tenant } from '../../../src/domain/tenant.ts';
import type { VsiSpec } from '../../../src/domain/vsi.ts';
import { parseMac } from '../../../src/domain/mac-address.ts';
import { parseManagerId } from '../../../src/domain/manager-id.ts';
import { plainForwarding, unlimited, type PortProfile } from '../../../src/domain/port-profile.ts';
import { profileKey, type ProfileKey } from '../../../src/domain/profile-ref.ts';
import { parseVid } from '../../../src/domain/vid.ts';
import { parseVsiId, type VsiId } from '../../../src/domain/vsi-id.ts';
import { managerConfigSchema, type ManagerConfig } from '../../../src/manager/config.ts';
import { startManager, type Manager } from '../../../src/manager/run.ts';

export const logger = pino({ level: 'silent' });

/** A directory that is gone after the tests of the file. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'hp-manager-'));
  after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export function config(more: Readonly<Record<string, unknown>> = {}): ManagerConfig {
  return managerConfigSchema.parse({ database: ':memory:', listen: ['127.0.0.1:0'], ...more });
}

export interface Running extends AsyncDisposable {
  readonly manager: Manager;
  readonly url: string;
  readonly client: ApiClient;
}

/** A manager and a client of it, both closed at the end of the block. */
export async function running(
  more: Readonly<Record<string, unknown>> = {},
  options: ClientOptions = {},
): Promise<Running> {
  const manager = await startManager(config(more), logger);
  const url = manager.addresses[0]!;
  const client = new ApiClient(url, options);
  return {
    manager,
    url,
    client,
    [Symbol.asyncDispose]: async () => {
      client.close();
      await manager.close();
    },
  };
}

export const acme = tenant('acme');

export function tenant(name: string): Tenant {
  return { name, ...unlimited };
}

export function profile(typeId: number, more: Partial<PortProfile> = {}): PortProfile {
  return {
    ref: { managerId: parseManagerId('dc1'), typeId, typeVersion: 1 },
    name: `type ${typeId}`,
    tenant: acme.name,
    tagged: false,
    ...plainForwarding,
    vlan: parseVid(10),
    ...more,
  };
}

export function keyOf({ ref }: PortProfile): ProfileKey {
  return profileKey(ref);
}

export function vsiIdOf(number: number): VsiId {
  return parseVsiId(`4a1b0000-0000-4000-8000-${number.toString(16).padStart(12, '0')}`);
}

export function vsi(number: number, of: PortProfile, more: Partial<VsiSpec> = {}): VsiSpec {
  return {
    vsiId: vsiIdOf(number),
    name: `vm${number}`,
    tenant: of.tenant,
    macs: [parseMac(`52:54:00:00:00:${number.toString(16).padStart(2, '0')}`)],
    profile: keyOf(of),
    ...more,
  };
}

/** Tenant acme, profile dc1/17/1 of VLAN 10, and VSI 1. */
export async function seed(client: ApiClient): Promise<void> {
  await client.put('tenants', acme);
  await client.put('profiles', profile(17));
  await client.put('vsis', vsi(1, profile(17)));
}
