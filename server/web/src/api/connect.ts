// The Connect protocol, as far as a browser needs it: unary calls and server
// streams in JSON, over fetch. A call ends when its signal aborts; the server
// then frees what it held.

export class RpcError extends Error {
  // `code` as in Connect ("invalid_argument"); "lost" when no answer came at all.
  constructor(readonly code: string, message: string, readonly reason = '') {
    super(message);
  }
  get cancelled(): boolean {
    return this.code === 'canceled';
  }
  // The server wants to know who asks.
  get nameless(): boolean {
    return this.code === 'unauthenticated';
  }
}

// The bearer token that says who asks. In this page's memory alone: it is in no
// address, no history and no storage, and gone when the page is.
let token = '';
export const setToken = (given: string): void => { token = given; };
export const hasToken = (): boolean => token !== '';

interface WireError {
  code?: string;
  message?: string;
  details?: {type?: string; debug?: {reason?: string}}[];
}

const HEADER = 5;  // Of an envelope: flags, then the length.
const END = 2;     // The flag of the last one.

const toRpcError = (wire: WireError): RpcError =>
  new RpcError(wire.code ?? 'unknown', wire.message ?? 'the server gave no reason',
    wire.details?.find((detail) => detail.debug?.reason)?.debug?.reason ?? '');

const lost = (thrown: unknown, signal?: AbortSignal): RpcError => {
  if (thrown instanceof RpcError) return thrown;
  if (signal?.aborted) return new RpcError('canceled', 'stopped');
  return new RpcError('lost', 'The server does not answer.');
};

async function post(path: string, type: string, body: BodyInit, signal?: AbortSignal): Promise<Response> {
  return fetch(`/alignsae.v1.${path}`, {
    method: 'POST', body, signal, credentials: 'omit', cache: 'no-store',
    headers: {
      'Content-Type': type, 'Connect-Protocol-Version': '1', 'x-client-id': clientId,
      ...(token === '' ? {} : {Authorization: `Bearer ${token}`}),
    },
  });
}

// Pages take turns by it. Made anew with each load; says nothing of the visitor.
const clientId = `page-${Math.random().toString(36).slice(2, 10)}`;

async function failureOf(answer: Response): Promise<RpcError> {
  try {
    return toRpcError(await answer.json() as WireError);
  } catch {
    return new RpcError('unknown', `the server answered with HTTP status ${answer.status}`);
  }
}

export async function unary<T>(path: string, request: unknown, signal?: AbortSignal): Promise<T> {
  try {
    const answer = await post(path, 'application/json', JSON.stringify(request), signal);
    if (!answer.ok) throw await failureOf(answer);
    return await answer.json() as T;
  } catch (thrown) {
    throw lost(thrown, signal);
  }
}

function envelope(message: unknown): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(JSON.stringify(message));
  const bytes = new Uint8Array(HEADER + text.length);
  new DataView(bytes.buffer).setUint32(1, text.length);
  bytes.set(text, HEADER);
  return bytes;
}

// The envelopes in what has come, and what is left of it.
function* take(bytes: Uint8Array): Generator<{flags: number; text: string}, Uint8Array> {
  let at = 0;
  while (bytes.length - at >= HEADER) {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at);
    const size = view.getUint32(1);
    if (bytes.length - at < HEADER + size) break;
    const begin = at + HEADER;
    yield {flags: view.getUint8(0), text: new TextDecoder().decode(bytes.subarray(begin, begin + size))};
    at = begin + size;
  }
  return bytes.slice(at);
}

export async function* stream<T>(path: string, request: unknown, signal?: AbortSignal): AsyncGenerator<T> {
  try {
    const answer = await post(path, 'application/connect+json', envelope(request), signal);
    if (!answer.ok || answer.body === null) throw await failureOf(answer);
    const reader = answer.body.getReader();
    let left = new Uint8Array(0);
    while (true) {
      const {done, value} = await reader.read();
      if (done) throw new RpcError('lost', 'The server ended the answer in its middle.');
      const bytes = new Uint8Array(left.length + value.length);
      bytes.set(left);
      bytes.set(value, left.length);
      const found = take(bytes);
      let next = found.next();
      for (; !next.done; next = found.next()) {
        const message = JSON.parse(next.value.text) as T & {error?: WireError};
        if (next.value.flags !== END) {
          yield message as Awaited<T>;
        } else if (message.error !== undefined) {
          throw toRpcError(message.error);
        } else {
          return;
        }
      }
      left = new Uint8Array(next.value);
    }
  } catch (thrown) {
    throw lost(thrown, signal);
  }
}
