import type { IncomingMessage, RequestOptions } from 'node:http';
import { ApiError } from './api-error.ts';
import { managerAt, managerUrlForm } from '../forms/manager-url.ts';

// Importing node:http would evaluate every export; WebSocket's loads undici, and costs each command 25 ms
const { Agent, request } = process.getBuiltinModule('node:http');

export interface HttpRequest {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** with query */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  readonly etag: string | undefined;
  readonly body: string;
}

/** What the sender's clock shows, in µs since 1970: the times in what it sends are by the same clock. */
export const clockHeader = 'hairpin-clock';

const mostBody = 64 * 1024 * 1024;

/** HTTP over TCP or a unix socket with connections kept alive. Every error is an ApiError of one line. */
export class HttpTransport {
  readonly #url: string;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #where: RequestOptions;

  /** @throws ApiError unless `url` is "http://HOST:PORT" or "unix:/PATH" */
  constructor(url: string) {
    this.#url = url;
    const where = managerAt(url);
    if (!where)
      throw new ApiError(`"${url}" is not a manager's address; ${managerUrlForm} would be right`, null);
    this.#where = where;
  }

  async send(asked: HttpRequest): Promise<HttpAnswer> {
    const response = await this.open(asked);
    try {
      return { status: response.statusCode!, etag: response.headers.etag, body: await bodyOf(response) };
    } catch (error) {
      throw this.#unreachable(error, asked.signal);
    }
  }

  /** Resolves when the headers are there. */
  async open(asked: HttpRequest): Promise<IncomingMessage> {
    try {
      return await this.#once(asked);
    } catch (error) {
      // A kept connection that the server had closed meanwhile: the request never got there.
      if (!(error instanceof StaleConnection)) throw this.#unreachable(error, asked.signal);
    }
    try {
      return await this.#once(asked);
    } catch (error) {
      throw this.#unreachable(error, asked.signal);
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  #once({ method, path, headers, body, signal }: HttpRequest): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const sent = request({
        ...this.#where,
        agent: this.#agent,
        method,
        path,
        signal,
        headers: {
          ...headers,
          ...(body !== undefined && {
            [clockHeader]: String(Date.now() * 1000),
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(body),
          }),
        },
      });
      sent.on('response', resolve);
      sent.on('error', (error: NodeJS.ErrnoException) => {
        const stale = sent.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
        reject(stale ? new StaleConnection() : error);
      });
      sent.end(body);
    });
  }

  #unreachable(error: unknown, signal: AbortSignal): ApiError {
    if (error instanceof ApiError) return error;
    if (signal.aborted) {
      const timedOut = (signal.reason as Error | undefined)?.name === 'TimeoutError';
      return new ApiError(
        `${this.#url}: ${timedOut ? 'no answer in time' : 'the request was given up'}`,
        null,
      );
    }
    const { code, message } = error as NodeJS.ErrnoException;
    return new ApiError(`${this.#url}: ${(code && meanings[code]) ?? message}`, null);
  }
}

class StaleConnection extends Error {}

const meanings: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there; is the manager running?',
  ENOENT: 'there is no such socket; is the manager running?',
  EACCES: "the socket is not ours to use; the manager's user or root would be right",
  ENOTFOUND: 'there is no such host',
  ECONNRESET: 'the connection broke',
};

async function bodyOf(response: IncomingMessage): Promise<string> {
  response.setEncoding('utf8');
  let body = '';
  for await (const text of response as AsyncIterable<string>) {
    body += text;
    if (body.length > mostBody) throw new ApiError('the answer is too long', response.statusCode ?? null);
  }
  return body;
}
