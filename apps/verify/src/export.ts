#!/usr/bin/env node
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Leaf, type OcsfEvent, readLeaves, toOcsf, toOtel } from '@cordon/ledger';
import { isCordonError } from '@cordon/protocol';

const usage = `usage: export --home DIR --format ocsf|otel [--tenant NAME] [--from INDEX]

One JSON object a line, from the files of one tenant's ledger. Nothing of what is sealed is opened.
exit status: 0, 1 the ledger cannot be read, 64 usage
`;

async function main(words: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...words],
    options: {
      home: { type: 'string' },
      format: { type: 'string' },
      tenant: { type: 'string', default: 'local' },
      from: { type: 'string', default: '0' },
    },
  });
  const { home, format, tenant } = values;
  const from = Number(values.from);
  if (home === undefined || !/^[a-z0-9][a-z0-9._-]{0,95}$/.test(tenant) || !Number.isSafeInteger(from) || from < 0) {
    process.stderr.write(usage);
    return 64;
  }
  const leaves = readLeaves(
    join(home, 'ledger/tree', tenant),
    readFileSync(join(home, 'keys/ledger.vkey'), 'utf8'),
    from,
  );
  if (format === 'otel') return await write(toOtel(leaves));
  if (format === 'ocsf') {
    const product = { version: versionOf() };
    return await write(eventsOf(leaves, product));
  }
  process.stderr.write(usage);
  return 64;
}

function* eventsOf(leaves: Iterable<Leaf>, product: { readonly version: string }): Generator<OcsfEvent> {
  for (const leaf of leaves) yield toOcsf(leaf, product);
}

async function write(lines: Iterable<unknown>): Promise<number> {
  for (const line of lines) {
    if (!process.stdout.write(`${JSON.stringify(line)}\n`)) await once(process.stdout, 'drain');
  }
  return 0;
}

function versionOf(): string {
  return (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }).version;
}

// A reader that has seen enough (head, say) is no error of ours.
process.stdout.on('error', () => process.exit(0));
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const code = isCordonError(error) ? error.code : 'unreadable';
  process.stderr.write(`export: ${code}: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = code === 'unreadable' && error instanceof TypeError ? 64 : 1;
}
