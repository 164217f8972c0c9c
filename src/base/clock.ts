/** Time as a machine's host has it: a monotonic now in ms, and a call at a later moment that can be taken back. */
export interface Clock {
  now(): number;
  at(time: number, action: () => void): () => void;
}
