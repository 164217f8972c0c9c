/** How many octets may be held at once, whoever holds them. */
export class OctetBudget {
  #left: number;

  constructor(octets: number) {
    this.#left = octets;
  }

  /** False: so many are not left, and none were taken. */
  take(octets: number): boolean {
    if (octets > this.#left) return false;
    this.#left -= octets;
    return true;
  }

  give(octets: number): void {
    this.#left += octets;
  }
}
