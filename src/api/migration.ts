import { z } from 'zod';
import {
  losses,
  migrationStates,
  moments,
  strategies,
  type BridgePort,
  type Losses,
  type Migration,
  type MigrationReport,
  type Moment,
  type PortCount,
} from '../domain/migration.ts';
import { name, reason, timestamp, title, vsiId } from '../forms/fields.ts';
import { optional, strict } from '../forms/strict.ts';

const bridgePort: z.ZodType<BridgePort> = strict({ bridge: name, port: title });
const frames = z.int().nonnegative();

const portCount: z.ZodType<PortCount> = strict({
  framesFromVm: frames,
  framesToVm: frames,
  dropped: z.record(z.string().max(64), frames),
  firstFrame: timestamp.nullable(),
  lastFrame: timestamp.nullable(),
});

const counts = strict({ source: portCount.nullable(), destination: portCount.nullable() });

const lost: z.ZodType<Losses> = strict(
  Object.fromEntries(losses.map((where) => [where, optional(frames)])) as Record<
    (typeof losses)[number],
    z.ZodExactOptional<typeof frames>
  >,
);

const times = strict(
  Object.fromEntries(moments.map((moment) => [moment, optional(timestamp)])) as Record<
    Moment,
    z.ZodExactOptional<typeof timestamp>
  >,
);

const clock = strict({ by: title, offset: z.int() });
const clocks = strict(
  Object.fromEntries(moments.map((moment) => [moment, optional(clock)])) as Record<
    Moment,
    z.ZodExactOptional<typeof clock>
  >,
);

/** {id, vsiId, strategy, state, source, destination, reason, times: {announce: µs, …}, counts, lost} */
export const migrationSchema: z.ZodType<Migration> = strict({
  id: z.string(),
  vsiId,
  strategy: z.enum(strategies),
  state: z.enum(migrationStates),
  source: bridgePort.nullable(),
  destination: bridgePort.nullable(),
  reason: reason.nullable(),
  times,
  clocks: optional(clocks),
  counts,
  lost: lost.default({}),
}).meta({ id: 'Migration' });

/** {vsiId, moment, at, by, strategy?, source?, destination?, counts?, lost?, reason?} */
export const migrationReportSchema: z.ZodType<MigrationReport> = strict({
  vsiId,
  moment: z.enum([...moments, 'abort', 'fail']),
  at: timestamp,
  by: title,
  strategy: optional(z.enum(strategies)),
  source: optional(bridgePort),
  destination: optional(bridgePort),
  counts: optional(
    strict({ source: optional(counts.shape.source), destination: optional(counts.shape.source) }),
  ),
  lost: optional(lost),
  reason: optional(reason.min(1)),
})
  .refine(({ moment, reason }) => moment !== 'fail' || reason !== undefined, {
    path: ['reason'],
    message: 'is missing; a sentence that says why it failed would be right',
  })
  .meta({ id: 'MigrationReport' });
