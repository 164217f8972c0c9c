import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApiClient } from '../../../src/client/client.ts';
import { unlimited, type PortProfile } from '../../../src/domain/port-profile.ts';
import { parseProfileKey, profileKey } from '../../../src/domain/profile-ref.ts';
import { profile as web } from '../bridge/network.ts';
import { mac, vsiId, type Wires } from './lldpad-harness.ts';

/** With a manager id that libvirt could give. */
export const profile: PortProfile = { ...web, ref: parseProfileKey('0x0c/17/1') };

/** A manager that forgets all at the end, with one tenant and one profile; agents find it at `url`. */
export class Manager implements Disposable {
  readonly url: string;
  readonly api: ApiClient;

  private constructor(url: string) {
    this.url = url;
    this.api = new ApiClient(url);
  }

  /** Ends with the wires. `more`: of its file. */
  static async start(wires: Wires, more: object = {}): Promise<Manager> {
    const url = `unix:${join(wires.directory, 'manager.sock')}`;
    const path = join(wires.directory, 'manager.yaml');
    writeFileSync(path, JSON.stringify({ database: ':memory:', listen: [url], ...more }));
    await wires.processes.start('manager', null, ['manager', '--config', path]);
    const manager = new Manager(url);
    await manager.api.put('tenants', { name: profile.tenant, ...unlimited });
    await manager.api.put('profiles', profile);
    return manager;
  }

  /** Grants VSI n its address, anywhere or at some hosts. */
  async grant(n: number, hosts?: readonly string[]): Promise<void> {
    await this.api.put('vsis', {
      vsiId: vsiId(n),
      name: `vm${n}`,
      tenant: profile.tenant,
      macs: [mac(n)],
      profile: profileKey(profile.ref),
      ...(hosts ? { hosts: [...hosts] } : {}),
    });
  }

  [Symbol.dispose](): void {
    this.api.close();
  }
}
