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

/** More than one authority in one head, or one that is no host. */
export const authorityRows: readonly HostileRequest[] = [
  { name: 'Host with a second host behind a space', bytes: (t, h) => `GET ${t} HTTP/1.1\r\nHost: ${h} evil\r\n\r\n` },
  { name: 'Host as a list', bytes: (t, h) => `GET ${t} HTTP/1.1\r\nHost: ${h}, evil.example.com\r\n\r\n` },
  { name: 'Host with a backslash', bytes: (t, h) => `GET ${t} HTTP/1.1\r\nHost: ${h}\\@evil.example.com\r\n\r\n` },
  { name: 'Host with a query', bytes: (t, h) => `GET ${t} HTTP/1.1\r\nHost: ${h}?x\r\n\r\n` },
  { name: 'Host with a fragment', bytes: (t, h) => `GET ${t} HTTP/1.1\r\nHost: ${h}#x\r\n\r\n` },
  { name: 'Host with an empty port', bytes: (t, h) => `GET ${t} HTTP/1.1\r\nHost: ${h}:\r\n\r\n` },
  { name: 'Host with two ports', bytes: (t, h) => `GET ${t} HTTP/1.1\r\nHost: ${h}:80:443\r\n\r\n` },
  { name: 'Host with a port of six digits', bytes: (t, h) => `GET ${t} HTTP/1.1\r\nHost: ${h}:000080\r\n\r\n` },
].map((row) => ({ ...row, status: 400, code: 'authority-mismatch' }));
