import {
  data,
  errorCode,
  type Fields,
  frame,
  frameType,
  headers,
  ping,
  priority,
  repeat,
  reset,
  settings,
  windowUpdate,
} from './frames.ts';

import { ends, type HostileFrames, opened, post, pseudo, start } from './http2-request.ts';

const flood = ends(errorCode.enhanceYourCalm, 'http2-abuse');

/** What asks for nothing, or takes back what it asked for, again and again. */
export const h2FloodRows: readonly HostileFrames[] = [
  {
    name: 'rapid reset',
    bytes: (a) =>
      Buffer.concat([start, repeat(1_000, (i) => Buffer.concat([headers(1 + 2 * i, pseudo(a)), reset(1 + 2 * i)]))]),
    end: flood,
  },
  { name: 'PING', bytes: () => Buffer.concat([start, repeat(5_000, () => ping())]), end: flood },
  { name: 'SETTINGS', bytes: () => Buffer.concat([start, repeat(5_000, () => settings())]), end: flood },
  {
    name: 'PRIORITY',
    bytes: () => Buffer.concat([start, repeat(5_000, (i) => priority(1 + 2 * (i % 500)))]),
    end: flood,
  },
  { name: 'WINDOW_UPDATE', bytes: () => Buffer.concat([start, repeat(5_000, () => windowUpdate(0, 1))]), end: flood },
  {
    name: 'WINDOW_UPDATE of a stream',
    bytes: (a) => Buffer.concat([opened(a), repeat(5_000, () => windowUpdate(1, 1))]),
    end: flood,
  },
  {
    name: 'empty DATA',
    bytes: (a) => Buffer.concat([opened(a), repeat(5_000, () => data(1, '', { end: false }))]),
    end: flood,
  },
  {
    name: 'unknown frames',
    bytes: () => Buffer.concat([start, repeat(5_000, () => frame(frameType.unknown, 0, 0))]),
    end: flood,
  },
];

/** One stream of a flood that waits for the end of each before it sends the next, so that no batch gives it away. */
export interface PacedFlood {
  readonly name: string;
  readonly bytes: (authority: string, stream: number) => Buffer;
}

/** Each stream is reset by the server, for a reason of the client's (CVE-2025-8671): no RST_STREAM of its own to count. */
export const h2PacedFloods: readonly PacedFlood[] = [
  {
    name: 'made to reset after the head',
    bytes: (a, stream) => {
      const fields: Fields = [...pseudo(a, post), ['content-length', '9']];
      return Buffer.concat([headers(stream, fields, { end: false }), data(stream, 'x')]);
    },
  },
  { name: 'heads that are malformed', bytes: (a, stream) => headers(stream, [...pseudo(a), ['connection', 'x']]) },
];
