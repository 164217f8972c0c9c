// A manager in a process of its own, to be killed: its configuration is the argument, as JSON.
import { pino } from 'pino';
import { managerConfigSchema } from '../../../src/manager/config.ts';
import { startManager } from '../../../src/manager/run.ts';

await startManager(managerConfigSchema.parse(JSON.parse(process.argv[2]!)), pino({ level: 'silent' }));
process.stdout.write('ready\n');
