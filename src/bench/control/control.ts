import { existsSync } from 'node:fs';
import { conditions, type Conditions } from '../report.ts';
import { measureAnswerTime, type AnswerTimes } from './answer-time.ts';
import { measureMany, type Many } from './many.ts';
import { measureScale, type Scale } from './scale.ts';
import { measureSignature, type SignatureCost } from './signature.ts';

/** What `hairpin bench control` finds; libvirt's and lldpad's default dialect beside the ratified one. */
export interface ControlReport extends Conditions {
  readonly answerMs: AnswerTimes;
  readonly lldpadAnswerMs: AnswerTimes;
  readonly signature: SignatureCost;
  readonly sequential1000: Many;
  readonly burst1000: Many;
  readonly draft: { readonly sequential1000: Many; readonly burst1000: Many };
  readonly scale10000: Scale;
}

const whole = { rounds: 5, samples: 200, many: 1_000, vsis: 10_000, ports: 48 };
/** Shows that it works, and measures nothing. */
const small = { rounds: 1, samples: 10, many: 20, vsis: 1_000, ports: 8 };

/** Whether the peer is there to be measured against. */
export function hasLldpad(): boolean {
  return ['/usr/sbin', '/usr/local/sbin'].some((place) => existsSync(`${place}/lldpad`));
}

export async function benchControl(quick: boolean, stop: AbortSignal): Promise<ControlReport> {
  const { rounds, samples, many, vsis, ports } = quick ? small : whole;
  const found = await conditions(['lldpad']);
  const times = await measureAnswerTime(rounds, samples, stop);
  const signature = await measureSignature(rounds, samples, stop);
  const ratified = await measureMany(many, 'ratified', stop);
  const draft = await measureMany(many, 'draft', stop);
  const scale10000 = await measureScale(vsis, ports, stop);
  return {
    ...times,
    signature,
    sequential1000: ratified.sequential,
    burst1000: ratified.burst,
    draft: { sequential1000: draft.sequential, burst1000: draft.burst },
    scale10000,
    ...found,
  };
}
