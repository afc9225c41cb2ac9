import type { HostileRequest } from './request.ts';

const line = (text: string): HostileRequest['bytes'] => {
  return (target, host) => `${text.replace('TARGET', target)}\r\nHost: ${host}\r\n\r\n`;
};
const field = (text: string): HostileRequest['bytes'] => {
  return (target, host) => `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${text}\r\n\r\n`;
};

/** Request lines and header lines that some reader repairs. */
export const lineRows: readonly HostileRequest[] = [
  { name: 'a space before the method', bytes: line(' GET TARGET HTTP/1.1') },
  { name: 'NUL before the method', bytes: line('\0GET TARGET HTTP/1.1') },
  { name: 'a method in lower case', bytes: line('get TARGET HTTP/1.1') },
  { name: 'tabs between the parts', bytes: line('GET\tTARGET\tHTTP/1.1') },
  { name: 'a space behind the version', bytes: line('GET TARGET HTTP/1.1 ') },
  { name: 'two CR behind the line', bytes: line('GET TARGET HTTP/1.1\r') },
  { name: 'a version in lower case', bytes: line('GET TARGET http/1.1') },
  { name: 'HTTP/1.2', bytes: line('GET TARGET HTTP/1.2') },
  { name: 'HTTP/1.10', bytes: line('GET TARGET HTTP/1.10') },
  { name: 'HTTP/3.0', bytes: line('GET TARGET HTTP/3.0') },
  { name: 'a second target', bytes: line('GET TARGET /other HTTP/1.1') },
  { name: 'a header without a colon', bytes: field('Header') },
  { name: 'a header without a name', bytes: field(': x') },
  { name: 'a header name over 0x7f', bytes: field('X\xe9: x') },
  { name: 'a header name with a space', bytes: field('X Y: x') },
  { name: 'a header name with a bracket', bytes: field('X[]: x') },
].map((row) => ({ ...row, status: 400, code: 'malformed-request' }));

const host = (name: string, of: (host: string) => string): HostileRequest => ({
  name,
  bytes: (target, granted) => `GET ${target} HTTP/1.1\r\nHost: ${of(granted)}\r\n\r\n`,
  status: 400,
  code: 'authority-mismatch',
});

/** More than one authority in one head, or one that is no host. */
export const authorityRows: readonly HostileRequest[] = [
  host('Host with a second host behind a space', (granted) => `${granted} evil`),
  host('Host as a list', (granted) => `${granted}, evil.example.com`),
  host('Host with a backslash', (granted) => `${granted}\\@evil.example.com`),
  host('Host with a query', (granted) => `${granted}?x`),
  host('Host with a fragment', (granted) => `${granted}#x`),
  host('Host with an empty port', (granted) => `${granted}:`),
  host('Host with two ports', (granted) => `${granted}:80:443`),
  host('Host with a port of six digits', (granted) => `${granted}:000080`),
];
