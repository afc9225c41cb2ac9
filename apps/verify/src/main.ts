#!/usr/bin/env node
import { toReport, type VerifyReport, verifyLedger } from '@cordon/ledger';
import { isCordonError } from '@cordon/protocol';
import { judgeApproval } from './approvals.ts';
import { parseArguments, usage } from './arguments.ts';
import { verifyCounters } from './counters/counters.ts';
import { runDecisions } from './decisions.ts';
import { judgeEndorsement } from './endorsements.ts';
import { openKeys } from './keys.ts';
import { toText } from './print.ts';
import { verifyOne } from './receipt.ts';
import { type Target, targetsOf } from './targets.ts';

/** Offline: starts nothing, connects to nothing, writes nothing, and trusts only the public key. */
async function main(words: readonly string[]): Promise<number> {
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
    if (parsed.arguments.proof !== null) return verifyOne(parsed.arguments.proof, parsed.arguments);
    const targets = targetsOf(parsed.arguments);
    const results: Array<{ name: string; report: VerifyReport }> = [];
    const { every } = parsed.arguments;
    for (const target of targets) results.push({ name: target.name, report: await verifyTarget(target, every) });
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
    const open = parsed.arguments.strict && results.some(({ report }) => report.open);
    return ok && !open ? 0 : 1;
  } catch (error) {
    // A file that cannot be read and a key that is none are reasons not to say "ok".
    const code = isCordonError(error) ? error.code : 'unreadable';
    process.stderr.write(`verify: ${code}: ${error instanceof Error ? error.message : String(error)}\n`);
    return code === 'ledger-option' || code === 'ledger-key' ? 64 : 1;
  }
}

/** The parts that need bytes alone, then the one that needs the policy engine. */
async function verifyTarget({ options, engines, keys }: Target, every: boolean): Promise<VerifyReport> {
  const { journals, parts } = options;
  const opened = keys === null ? {} : { keys: openKeys(keys) };
  const approvals = { judge: judgeApproval, judgeEndorsement, ...opened };
  const counters = (folder: string) => verifyCounters(folder, opened.keys);
  const rest = parts?.filter((part) => part !== 'decisions');
  const found =
    rest?.length === 0
      ? []
      : verifyLedger({ ...options, ...opened, approvals, counters, ...(rest === undefined ? {} : { parts: rest }) })
          .parts;
  const replays = journals !== null && (parts === undefined || parts.includes('decisions'));
  return toReport(replays ? [...found, await runDecisions({ journals, engines, keys, every })] : found);
}

process.exitCode = await main(process.argv.slice(2));
