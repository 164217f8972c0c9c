import type { IncomingMessage } from 'node:http';
import { Invalid } from '../base/invalid.ts';

/** The whole text of a request or an answer. @throws Invalid if it is longer than `limit` */
export async function readBody(stream: IncomingMessage, limit = Infinity): Promise<string> {
  let text = '';
  stream.setEncoding('utf8');
  for await (const chunk of stream) {
    text += String(chunk);
    if (text.length > limit) throw new Invalid(`a body has at most ${limit} characters`);
  }
  return text;
}
