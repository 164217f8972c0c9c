import { hostProtocols, type HostAccess } from '../contract/relay.ts';
import { isControl, isGroupFrame, type Frame } from './frame.ts';

/** Whether the switch's own stack gets a frame that entered a network port with this access, in this VLAN. */
export function isForHost(frame: Frame, vlan: number | null, host: HostAccess | undefined): boolean {
  if (!host) return false;
  if (isControl(frame))
    return (
      !frame.tagged &&
      !frame.inSnap &&
      host.protocols.some((protocol) => hostProtocols[protocol] === frame.etherType)
    );
  return (
    host.vlan !== null && vlan === host.vlan && (isGroupFrame(frame) || frame.destination === host.address)
  );
}
