import type { Vid } from '../../../domain/vid.ts';
import type { PortName, RelayState } from '../../contract/relay.ts';

/** The driver's table of each VLAN's active network port, by the ports' numbers. A take-over is one store. */
export class NetworkPortTable {
  readonly #numbers: BigUint64Array<ArrayBuffer>;
  /** as it was applied last; null: not by this process */
  #applied: RelayState['networkPorts'] | null = null;

  constructor(numbers: BigUint64Array<ArrayBuffer>) {
    this.#numbers = numbers;
  }

  held(nameOf: (number: number) => PortName | null): Map<Vid, PortName> {
    const held = new Map<Vid, PortName>();
    for (const [vlan, number] of this.#numbers.entries()) {
      const name = number ? nameOf(Number(number)) : null;
      if (name !== null) held.set(vlan as Vid, name);
    }
    return held;
  }

  /** 0: the VLAN has none. */
  numberOf(vlan: Vid): number {
    return Number(this.#numbers[vlan]);
  }

  /** Takes the VLANs from ports that will not send them as they did. */
  release(stays: (number: number, vlan: number) => boolean): void {
    for (const [vlan, number] of this.#numbers.entries())
      if (number && !stays(Number(number), vlan)) this.#write(vlan, 0n);
  }

  /** `isSame`: the ports have the numbers that they had when a state was applied last. */
  apply(desired: RelayState['networkPorts'], isSame: boolean, numberOf: (port: PortName) => number): void {
    if (isSame && desired === this.#applied) return;
    const wanted = new BigUint64Array(this.#numbers.length);
    for (const [vlan, name] of desired) wanted[vlan] = BigInt(numberOf(name));
    for (const [vlan, number] of wanted.entries()) this.#write(vlan, number);
    this.#applied = desired;
  }

  #write(vlan: number, number: bigint): void {
    if (this.#numbers[vlan] !== number) Atomics.store(this.#numbers, vlan, number);
  }
}
