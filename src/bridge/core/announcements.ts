import type { MacAddress } from '../../domain/mac-address.ts';
import { ownSystemDescription } from '../../protocol/announcement.ts';
import type { Neighbour } from '../../protocol/lldp/neighbour.ts';
import type { PortName, RelayEvent } from '../../relay/contract/relay.ts';

/** Whether a VM's own announcement makes it active at a port where it is armed. */
export type Heed = 'armed' | 'never';

/**
 * Which ports heed what VMs announce of themselves. A neighbour VM shares the port and can forge it; so it counts only
 * where the station cannot be relied on to associate in time. Unless a port is set to the one or the other, that is
 * any station but Hairpin's own: libvirt may let a guest run before lldpad has asked for it.
 */
export class Announcements {
  readonly #settings: ReadonlyMap<PortName, Heed>;
  /** by the station that was there last */
  readonly #stations = new Map<PortName, Heed>();
  /** at ports whose station is not known yet: the agent was restarted */
  readonly #early = new Map<PortName, Map<MacAddress, RelayEvent>>();

  constructor(settings: ReadonlyMap<PortName, Heed>) {
    this.#settings = settings;
  }

  /**
   * Whether an announcement where its VSI is armed counts. `met` has it again if that is not known yet. `isSigned`: the
   * station there signs what it says.
   */
  counts(event: RelayEvent, isSigned = false): boolean {
    const heed = this.#settings.get(event.port) ?? (isSigned ? 'never' : this.#stations.get(event.port));
    if (heed) return heed === 'armed';
    const early = this.#early.get(event.port) ?? new Map<MacAddress, RelayEvent>();
    this.#early.set(event.port, early.set(event.mac, event));
    return false;
  }

  /** A station has said who it is; returns what was announced before. */
  met(port: PortName, { systemDescription }: Neighbour): Iterable<RelayEvent> {
    this.#stations.set(port, systemDescription === ownSystemDescription ? 'never' : 'armed');
    const early = this.#early.get(port)?.values() ?? [];
    this.#early.delete(port);
    return early;
  }
}
