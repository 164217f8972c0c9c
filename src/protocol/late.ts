/** In ms: no event loop that runs is this late. */
const longest = 1_000;

/**
 * Whether the process did not run for a while: it was stopped, swapped out, or its machine was paused. What was not heard
 * meanwhile says nothing of those who were to be heard. A machine that sleeps needs no such care: CLOCK_MONOTONIC, by
 * which all deadlines are, sleeps with it.
 */
export function wasStopped(deadline: number | null, now: number): boolean {
  return deadline !== null && now > deadline + longest;
}
