import { readFileSync } from 'node:fs';
import { parseDocument } from 'yaml';
import type { z } from 'zod';
import { explainIssues } from '../forms/explain.ts';
import { Failure } from '../base/failure.ts';
import { readStandardInput } from './standard-input.ts';

/** Reads a YAML (or JSON) file by a schema. @throws Failure with a line for each thing that is wrong, exit code 2 */
export function readConfig<S extends z.ZodType>(path: string, schema: S): z.output<S> {
  const input = readYaml(path);
  const parsed = schema.safeParse(input);
  if (!parsed.success) throw new Failure(explainIssues(path, parsed.error, input).join('\n'), 2);
  return parsed.data;
}

/** @throws Failure for a file that is not there or is not YAML */
export function readYaml(path: string): unknown {
  let text: string;
  try {
    text = path === '-' ? readStandardInput() : readFileSync(path, 'utf8');
  } catch (error) {
    throw new Failure(`${path}: ${(error as Error).message.replace(/^\w+: ([^,]*).*$/, '$1')}`, 2);
  }
  try {
    return valueOf(parseDocument(text, { uniqueKeys: true, logLevel: 'error' }));
  } catch (error) {
    throw new Failure(`${path}: ${(error as Error).message.split('\n')[0]!.replace(/:$/, '')}`, 2);
  }
}

/** @throws an Error whose first line says what is wrong */
function valueOf(document: ReturnType<typeof parseDocument>): unknown {
  const [error] = document.errors;
  if (error?.code === 'MULTIPLE_DOCS') throw new Error('has several documents; one would be right');
  if (error) throw error;
  return document.toJS() as unknown; // which is when it finds an alias that stands for nothing, or for too much
}
