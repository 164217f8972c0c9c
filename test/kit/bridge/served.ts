import { serveControl } from '../../../src/bridge/control/control.ts';
import type { PortProfile } from '../../../src/domain/port-profile.ts';
import type { DropSample } from '../../../src/relay/contract/relay.ts';
import { profile, TestNetwork, web1 } from './network.ts';

/** A bridge with web1 at p1, and its control socket. */
export async function servedBridge(socket: string, settings: PortProfile = profile) {
  const network = new TestNetwork();
  network.directory.profile = settings;
  network.directory.grants.set(web1.vsiId, { ...web1, name: 'web1' });
  await network.happens('p1', 'started');
  const control = await serveControl(socket, {
    name: 'sw',
    agent: network.bridge,
    relay: network.relay,
    directory: network.directory,
    mtuOf: () => 1500,
    now: () => network.time.now(),
    stampOf: (ns) => Number(ns / 1000n),
  });
  return { network, control, [Symbol.dispose]: () => control.close() };
}

export const frame = Buffer.from('02000000009952540000000a88b50000', 'hex');
/** Of a frame that its access list denies. */
export const sample = (more: Partial<DropSample> = {}): DropSample => ({
  port: 'p1',
  reason: 'access-list',
  vsi: web1.vsiId,
  at: 5_000_000n,
  octets: 60,
  frame,
  ...more,
});
