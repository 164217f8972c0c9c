/** One direction of a simulated link: a frame arrives in a later turn of the event loop, as it left, and in order. */
export class Cable {
  readonly #deliver: (frame: Uint8Array) => void;
  #plugged = true;

  constructor(deliver: (frame: Uint8Array) => void) {
    this.#deliver = deliver;
  }

  send(frame: Uint8Array): void {
    const copy = Uint8Array.from(frame);
    setImmediate(() => {
      if (this.#plugged) this.#deliver(copy);
    });
  }

  unplug(): void {
    this.#plugged = false;
  }
}
