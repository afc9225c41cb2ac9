import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { JournalArchive, KeyFiles, listWriters, readJournal } from '@cordon/ledger';
import type { Facts } from '@cordon/policy';
import type { Intent } from '@cordon/protocol';

/** One decided request, as the ledger has it. */
export interface Metered {
  readonly session: string;
  readonly outcome: string;
  readonly code: string;
  readonly method: string;
  readonly path: string;
  /** What the leak meter counted for it. */
  readonly bytes: number;
  /** What it had counted before. */
  readonly used: number;
  readonly intent: Intent;
}

/** Every decision about an http request in a deployment's state folder, in the order of its journal. */
export async function readMetered(home: string): Promise<Metered[]> {
  const journals = path.join(home, 'ledger/journal');
  const found: Metered[] = [];
  for (const tenant of readdirSync(journals)) {
    const directory = path.join(journals, tenant);
    const tenantKey = readFileSync(path.join(home, 'keys', `bodies-${tenant}.key`));
    const keys = new KeyFiles({ tenant, tenantKey, directory: path.join(home, 'keys/bodies', tenant) });
    const archive = new JournalArchive(directory, keys);
    for (const writer of listWriters(directory)) {
      for await (const { entry, position } of readJournal(directory, writer)) {
        if (entry.type !== 'decision' || entry.session === null) continue;
        const { intent, facts } = JSON.parse(archive.body(position, entry).toString()) as Body;
        const { outcome, code } = entry.data as { readonly outcome: string; readonly code: string };
        const { method, path: target } = intent.args as { readonly method: string; readonly path: string };
        const { leakBytes: bytes, leakUsed: used } = facts.labels;
        found.push({ session: entry.session, outcome, code, method, path: target, bytes, used, intent });
      }
    }
  }
  return found;
}

interface Body {
  readonly intent: Intent;
  readonly facts: Facts;
}
