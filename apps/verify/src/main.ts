#!/usr/bin/env node
import { verifyLedger } from '@cordon/ledger';
import { isCordonError } from '@cordon/protocol';
import { parseArguments, usage } from './arguments.ts';
import { toText } from './print.ts';
import { targetsOf } from './targets.ts';

/** Offline: starts nothing, connects to nothing, writes nothing, and trusts only the public key. */
function main(words: readonly string[]): number {
  const parsed = parseArguments(words);
  if (parsed.kind === 'help') {
    process.stdout.write(usage);
    return 0;
  }
  if (parsed.kind === 'wrong') {
    process.stderr.write(`verify: ${parsed.why}\n${usage}`);
    return 64;
  }
  try {
    const results = targetsOf(parsed.arguments).map(({ name, options }) => ({ name, report: verifyLedger(options) }));
    if (results.length === 0) {
      process.stderr.write('verify: there is no ledger\n');
      return 1;
    }
    const ok = results.every(({ report }) => report.ok);
    if (parsed.arguments.json) {
      const ledgers = results.map(({ name, report }) => ({ name, ...report }));
      process.stdout.write(`${JSON.stringify({ v: 'verify/1', ok, ledgers })}\n`);
    } else {
      for (const { name, report } of results) process.stdout.write(toText(name, report));
    }
    return ok ? 0 : 1;
  } catch (error) {
    // A file that cannot be read and a key that is none are reasons not to say "ok".
    const code = isCordonError(error) ? error.code : 'unreadable';
    process.stderr.write(`verify: ${code}: ${error instanceof Error ? error.message : String(error)}\n`);
    return code === 'ledger-option' || code === 'ledger-key' ? 64 : 1;
  }
}

process.exitCode = main(process.argv.slice(2));
