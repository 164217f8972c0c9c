import { setPriority } from 'node:os';
import { setFlagsFromString } from 'node:v8';

/** As Open vSwitch's daemons have it: an agent seldom has work, and frames are lost while it waits for a processor. */
const niceness = -10;

/** So many that what takes part has been compiled; they take a tenth of a second. */
const moves = 40;

/**
 * Makes an agent quick at what it does seldom. Its code would be interpreted for its first hundreds of VSIs, and forgotten
 * again between two migrations. To be called before the agent's modules are loaded.
 */
export async function answerPromptly(): Promise<void> {
  setFlagsFromString('--no-lazy-feedback-allocation');
  setFlagsFromString('--invocation-count-for-maglev=30');
  setFlagsFromString('--no-flush-bytecode');
  try {
    setPriority(niceness);
  } catch {
    // a container may keep root from it; it is slower then, and right
  }
  const { rehearse } = await import('./rehearsal.ts');
  await rehearse(moves).catch(() => {}); // an agent that could not rehearse is slower at first, no more
}
