import { readFileSync } from 'node:fs';
import { parseWitnessPolicy, type ReceiptVerdict, verifyReceipt, verifyReceiptThrough } from '@cordon/ledger';
import type { Arguments } from './arguments.ts';
import { printable } from './print.ts';

/** The last second of the year 9999; a date has no room for more. */
const yearEnd = 253_402_300_799;

/** One receipt, with nothing but the public key and, if the reader has one, a policy of witnesses. Returns the exit status. */
export function verifyOne(file: string, given: Arguments): number {
  const { key, head, infrastructureKey, witnesses, json, strict } = given;
  const policy = witnesses === null ? null : parseWitnessPolicy(readFileSync(witnesses, 'utf8'));
  const entry = readFileSync(file, 'utf8');
  const log = readFileSync(key ?? '', 'utf8');
  const verdict =
    head === null
      ? verifyReceipt(entry, log, policy)
      : verifyReceiptThrough(
          { entry, head: readFileSync(head, 'utf8') },
          { log, infrastructure: readFileSync(infrastructureKey ?? '', 'utf8') },
          policy,
        );
  process.stdout.write(json ? `${JSON.stringify({ v: 'proof/1', ...verdict })}\n` : toText(verdict));
  return verdict.ok && (verdict.witnessed || !strict) ? 0 : 1;
}

function toText(verdict: ReceiptVerdict): string {
  if (!verdict.ok) return `BAD  ${verdict.why}\n`;
  const { entry, index, size, leaf, witnesses, witnessed } = verdict;
  const who = witnesses.map(
    ({ name, seconds }) => `${name} at ${new Date(Math.min(seconds, yearEnd) * 1000).toISOString()}`,
  );
  const lines = [
    `ok   entry ${index} of ${size}, ${leaf}`,
    `     ${entry.at} ${entry.type} ${entry.session ?? entry.writer}`,
    ...Object.entries(entry.data).map(([name, value]) => `     ${name}: ${JSON.stringify(value)}`),
    witnessed
      ? `     cosigned by ${who.join(', ')}`
      : '     unwitnessed: only the log itself says so (--witnesses FILE)',
  ];
  return `${lines.map(printable).join('\n')}\n`;
}
