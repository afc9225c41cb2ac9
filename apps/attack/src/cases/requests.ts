import type { EscapeCase } from '../case.ts';
import { escaped, unclear } from '../error.ts';
import { type Field, grantedHost, liveHost } from '../field.ts';
import { heard } from '../heard.ts';
import { curl, expectStatus, raw } from './egress.ts';

/** A request that must not arrive: it carries a mark in its path, which the server must never see. */
function marked(
  name: string,
  stop: string,
  statuses: readonly number[],
  mark: string,
  attack: (mark: string) => string,
): EscapeCase {
  return {
    name,
    stop,
    attack: () => `echo tried; ${attack(mark)}`,
    judge: (field, run) => {
      expectStatus(run, statuses);
      neverArrived(field, mark);
    },
  };
}

function neverArrived(field: Field, mark: string): void {
  const found = field.granted.requests.find((request) => request.target.includes(mark));
  if (found !== undefined) throw escaped(`the server got ${found.method} ${found.target} for ${found.host}`);
}

const neighbourPort = 8_123;

/** Opens a WebSocket, waits until it is open, and then says something that is no frame. */
function throughWebSocket(text: string): string {
  const lines = [
    ...['GET /open HTTP/1.1', `Host: ${liveHost}`, 'Upgrade: websocket', 'Connection: Upgrade'],
    ...['Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=='],
  ];
  const handshake = `${lines.join('\\r\\n')}\\r\\n\\r\\n`;
  const proxied = `-proxy 127.0.0.1:3128 -connect ${liveHost}:443 -servername ${liveHost}`;
  return [
    'mkfifo ws-in; : >ws-out',
    `timeout 30 openssl s_client -quiet ${proxied} <ws-in >ws-out 2>ws-err & client=$!`,
    `exec 3>ws-in; printf '${handshake}' >&3`,
    'tries=0; until grep -q "101 Switching" ws-out || [ $tries -ge 200 ]; do tries=$((tries+1)); sleep 0.1; done',
    `echo tried; printf '${text}\\r\\n' >&3`,
    // It ends when the other side does, which is after the bytes were read.
    'wait $client; exec 3>&-; cat ws-out ws-err',
  ].join('\n');
}

/** Requests that mean one thing to us and another to somebody else. */
export const requestCases: readonly EscapeCase[] = [
  marked('a dot behind the granted host', 'canonical host', [0, 400, 403], 'dot', (mark) =>
    curl(`https://${grantedHost}./open/${mark}`),
  ),
  marked('a name that only looks like the granted host', 'canonical host', [400, 403], 'idn', (mark) =>
    raw(`GET http://gr\\320\\260nted.example/open/${mark} HTTP/1.1\\r\\nHost: gr\\320\\260nted.example\\r\\n\\r\\n`),
  ),
  marked('a NUL in the host', 'http head', [400], 'nul', (mark) =>
    raw(`GET http://granted.example\\000.evil.example/open/${mark} HTTP/1.1\\r\\nHost: granted.example\\r\\n\\r\\n`),
  ),
  marked('lines that end with LF alone', 'http head', [400], 'lf', (mark) =>
    raw(`GET http://granted.example/open/${mark} HTTP/1.1\\nHost: granted.example\\n\\n`),
  ),
  marked('a space before the colon of a header', 'http head', [400], 'colon', (mark) =>
    raw(`GET http://granted.example/open/${mark} HTTP/1.1\\r\\nHost : granted.example\\r\\n\\r\\n`),
  ),
  marked('a transfer coding that only some know', 'http head', [400, 501], 'coding', (mark) =>
    raw(
      `GET http://granted.example/open/${mark} HTTP/1.1\\r\\nHost: granted.example\\r\\nTransfer-Encoding: xchunked\\r\\n\\r\\n`,
    ),
  ),
  marked('two lengths', 'http head', [400], 'lengths', (mark) =>
    raw(
      `GET http://granted.example/open/${mark} HTTP/1.1\\r\\nHost: granted.example\\r\\nContent-Length: 0\\r\\nContent-Length: 1\\r\\n\\r\\nx`,
    ),
  ),
  marked(
    'an authority that differs from the connection’s name, over HTTP/2 where it is offered',
    'agreement',
    [0, 400, 403, 421],
    'authority',
    (mark) => curl(`--http2 -H 'Host: other.example' https://${grantedHost}/open/${mark}`),
  ),
  marked('a WebSocket where only requests are granted', 'policy', [403], 'websocket', (mark) =>
    curl(
      `--http1.1 -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==' https://${grantedHost}/open/${mark}`,
    ),
  ),
  {
    name: 'a granted WebSocket as a tunnel for other bytes',
    stop: 'frames are read, and written anew',
    needsProgram: 'openssl',
    options: { allow: [`wss://${liveHost}/open`] },
    attack: () => throughWebSocket('SSH-2.0-tunnelled'),
    judge: ({ live }, { stdout, stderr }) => {
      if (live.received.includes('tunnelled')) throw escaped('bytes that are no message came through');
      // Nothing can be said about what was never open.
      if (live.handshakes === 0 || !stdout.includes('101 Switching Protocols'))
        throw unclear(`the WebSocket was not opened: ${stdout}${stderr}`);
    },
  },
  marked('a redirect to a path that is not granted', 'policy: every hop is decided', [403], '/closed-by-hop', () =>
    curl(`-L 'https://${grantedHost}/open/redirect?to=%2Fclosed-by-hop'`),
  ),
  marked('a redirect to a host that is not granted', 'policy: every hop is decided', [403], '/stolen', () =>
    curl(`-L 'https://${grantedHost}/open/redirect?to=https%3A%2F%2Fother.example%2Fstolen'`),
  ),
  {
    name: 'TLS without a server name',
    stop: 'agreement',
    needsProgram: 'openssl',
    attack: () =>
      `echo tried; printf 'GET /open/nameless HTTP/1.1\\r\\nHost: ${grantedHost}\\r\\n\\r\\n' | timeout 10 openssl s_client -quiet -noservername -proxy 127.0.0.1:3128 -connect ${grantedHost}:443`,
    judge: (field) => neverArrived(field, 'nameless'),
  },
  {
    name: 'a request hidden in the body of another',
    stop: 'requests are written anew',
    attack: () => {
      const hidden = `GET http://${grantedHost}/closed/hidden HTTP/1.1\\r\\nHost: ${grantedHost}\\r\\n\\r\\n`;
      const bytes = hidden.replaceAll(/\\r|\\n/g, '.').length;
      return `echo tried; ${raw(`GET http://${grantedHost}/open/outer HTTP/1.1\\r\\nHost: ${grantedHost}\\r\\nContent-Length: ${bytes}\\r\\n\\r\\n${hidden}`)}`;
    },
    judge: (field) => neverArrived(field, '/closed/hidden'),
  },
  {
    name: 'a server of another session',
    stop: 'a network namespace each',
    attack: () => `echo tried; ./probe listen ${neighbourPort}`,
    during: async (field, underway) => {
      await heard(underway, 'listening');
      await field.attack(`./probe connect4 ${neighbourPort}; ./probe connect6 ${neighbourPort}`);
    },
    judge: (_field, run) => {
      const result = /^tried listen (\S+)/m.exec(run.stdout)?.[1];
      if (result === 'ok') throw escaped('a connection came from another session');
      if (result !== 'EAGAIN') throw unclear(`the listener said ${run.stdout}${run.stderr}`);
    },
  },
];
