import type { ProfileRef } from '../../domain/profile-ref.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import { sameProfile } from '../../protocol/vdp/filter.ts';
import type { PortName } from '../../relay/contract/relay.ts';
import type { Directory, Entitlement } from './directory.ts';

/** What the manager is asked about a VSI at a port. */
export interface Enquiry {
  readonly vsiId: VsiId;
  readonly profile: ProfileRef;
  readonly answered: (entitlement: Entitlement) => void;
  readonly failed: (error: Error) => void;
}

export class TooManyEnquiries extends Error {
  override name = 'TooManyEnquiries';
}

/**
 * Questions to the manager that stations and VMs give rise to. However often they change their mind, there is one at a
 * time about a VSI at a port, and only the newest is answered; and so many at a port.
 */
export class Enquiries {
  readonly #directory: Directory;
  readonly #most: number;
  readonly #underWay = new Map<PortName, Map<VsiId, Enquiry>>();

  constructor(directory: Directory, mostPerPort: number) {
    this.#directory = directory;
    this.#most = mostPerPort;
  }

  /** What the manager grants: at once where that is known here. */
  settle(port: PortName, enquiry: Enquiry): void {
    const known = this.#directory.known(enquiry.vsiId, enquiry.profile);
    if (known) enquiry.answered(known);
    else this.make(port, enquiry);
  }

  /** Calls one of the enquiry's functions, unless another about the same VSI at the port comes before the answer. */
  make(port: PortName, enquiry: Enquiry): void {
    const { vsiId } = enquiry;
    const here = this.#underWay.get(port) ?? new Map<VsiId, Enquiry>();
    this.#underWay.set(port, here);
    const isUnderWay = here.has(vsiId);
    if (!isUnderWay && here.size >= this.#most) {
      enquiry.failed(new TooManyEnquiries(`${here.size} VSIs at the port wait for the manager already`));
      return;
    }
    here.set(vsiId, enquiry);
    if (!isUnderWay) void this.#ask(vsiId, here);
  }

  async #ask(vsiId: VsiId, here: Map<VsiId, Enquiry>): Promise<void> {
    const newest = () => here.get(vsiId)!;
    let profile: ProfileRef;
    let failure: Error | null;
    do {
      ({ profile } = newest());
      failure = await this.#directory.fetch(vsiId, profile).then(
        () => null,
        (error: Error) => error,
      );
    } while (!failure && !sameProfile(profile, newest().profile));
    const enquiry = newest();
    here.delete(vsiId);
    if (failure) enquiry.failed(failure);
    else enquiry.answered(this.#directory.kept(vsiId, profile));
  }
}
