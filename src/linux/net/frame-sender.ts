import { check, libc } from '../libc.ts';
import { linkLayerAddress, packetFamily } from './packet-address.ts';

/** A raw AF_PACKET socket that receives nothing and sends whole frames by any interface of the namespace it was made in. */
export class FrameSender {
  readonly #fd: number;

  /** @throws SystemError without the rights */
  constructor() {
    const rawNonBlockingCloexec = 3 | 0o4000 | 0o2000000;
    this.#fd = check(libc().socket(packetFamily, rawNonBlockingCloexec, 0), 'packet socket', 'for sending');
  }

  /** False if the kernel did not take it: the link is down, the interface is gone, there is no buffer. */
  send(ifindex: number, frame: Uint8Array): boolean {
    const address = linkLayerAddress(ifindex, 0);
    return libc().sendto(this.#fd, frame, frame.length, 0, address, address.length) === frame.length;
  }

  close(): void {
    libc().close(this.#fd);
  }
}
