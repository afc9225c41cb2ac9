import { setImmediate } from 'node:timers/promises';
import type { LedgerTree, TreeEntry } from '@cordon/ledger';
import type { LedgerProof } from '@cordon/protocol';
import * as api from '@cordon/protocol/api';
import { z } from 'zod';
import { refusal } from '../../error.ts';
import type { Decisions } from '../../ledger/decisions.ts';
import type { Infrastructure } from '../../ledger/infrastructure.ts';
import type { Integrator } from '../../ledger/integrator.ts';
import type { Shredder } from '../../ledger/shredder.ts';
import type { Witnessing } from '../../ledger/witnessing.ts';
import { limits } from '../../limits.ts';
import { jsonRoute, type Route } from '../route.ts';
import { change, quick } from './limits.ts';

export interface LedgerRouteParts {
  readonly tree: LedgerTree;
  readonly integrator: Integrator;
  readonly decisions: Decisions;
  readonly publicKey: string;
  readonly shredder: Shredder;
  readonly witnessing: Witnessing;
  readonly infrastructure: Infrastructure;
}

const pageQuery = z.strictObject({
  from: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(limits.pageItemsMax).default(limits.pageItemsDefault),
  /** Only entries that name this session, attempt or hold. */
  about: z
    .string()
    .regex(/^[a-z]{3}_[0-9a-z]{26}$/)
    .optional(),
});
const proofQuery = z
  .strictObject({
    attempt: z.string().max(64).optional(),
    index: z.coerce.number().int().min(0).optional(),
    through: z.literal('infrastructure').optional(),
  })
  .refine((query) => (query.attempt === undefined) !== (query.index === undefined), 'give either attempt or index');

export function ledgerRoutes(parts: LedgerRouteParts): Route[] {
  const { tree, publicKey } = parts;
  return [
    jsonRoute({
      method: 'GET',
      path: '/v1/ledger/entries',
      action: 'ledger.read',
      summary: 'Entries of the tree, by index; with `about` a page may hold none of many that were looked at.',
      limits: quick,
      query: pageQuery,
      body: null,
      answer: { status: 200, schema: api.ledgerPage },
      handle: async ({ query }) => {
        // Who asks after an answer finds what was answered: journals are followed into the tree a second later.
        await parts.integrator.run();
        const { entries, next } =
          query.about === undefined ? page(tree, query) : await search(tree, query, query.about);
        return {
          body: {
            entries: entries.map(({ index, leaf, entry }) => ({ index, leaf, entry: { ...entry } })),
            next: next < tree.head.size ? next : null,
          },
        };
      },
    }),
    jsonRoute({
      method: 'GET',
      path: '/v1/ledger/proof',
      action: 'ledger.prove',
      summary: 'Proof that an entry is in the tree under a signed checkpoint.',
      limits: quick,
      query: proofQuery,
      body: null,
      answer: { status: 200, schema: api.ledgerProof },
      handle: async ({ query }) => {
        // What was decided a moment ago is in a journal; its place in the tree comes with the next integration.
        await parts.integrator.run();
        const index = query.index ?? (await indexOf(parts.decisions, query.attempt ?? ''));
        if (query.through !== undefined) return { body: await proveThrough(parts, index) };
        // A proof is worth more with witnesses; who is asked answers within seconds, and a silent one only costs these.
        if (index >= (tree.cosigned?.size ?? 0)) await parts.witnessing.run();
        if (index >= tree.head.size) throw refusal('not-found', `the ledger has ${tree.head.size} entries`);
        return { body: tree.prove(index) };
      },
    }),
    jsonRoute({
      method: 'POST',
      path: '/v1/ledger/shred',
      action: 'ledger.shred',
      summary: 'Destroys the key of an ended session: what was kept of it is unreadable for ever.',
      limits: change,
      query: null,
      body: api.shredRequest,
      answer: { status: 200, schema: api.shredAnswer },
      handle: async ({ body, caller }) => ({ body: await parts.shredder.shred(body.session, caller) }),
    }),
    jsonRoute({
      method: 'GET',
      path: '/v1/ledger/checkpoint',
      action: 'ledger.checkpoint',
      summary: 'The newest signed checkpoint (C2SP signed note).',
      limits: quick,
      query: null,
      body: null,
      answer: { status: 200, schema: api.ledgerCheckpoint },
      handle: async () => ({ body: { checkpoint: tree.head.checkpoint, publicKey } }),
    }),
    jsonRoute({
      method: 'GET',
      path: '/v1/ledger/key',
      action: 'ledger.key',
      summary: 'The public key that checkpoints are verified with; keep a copy elsewhere.',
      limits: quick,
      query: null,
      body: null,
      answer: { status: 200, schema: api.ledgerKey },
      handle: async () => ({ body: { publicKey } }),
    }),
  ];
}

interface Wanted {
  readonly from: number;
  readonly limit: number;
}

function page(tree: LedgerTree, { from, limit }: Wanted): { entries: TreeEntry[]; next: number } {
  const first = Math.min(from, tree.head.size);
  const entries = tree.entries(first, Math.min(limit, tree.head.size - first));
  return { entries, next: first + entries.length };
}

/** The entries themselves are looked through, not an index of them; so many a call, and others are served in between. */
async function search(tree: LedgerTree, { from, limit }: Wanted, about: string): Promise<ReturnType<typeof page>> {
  const found: TreeEntry[] = [];
  let next = from;
  while (next < from + limits.ledgerSearchEntriesMax) {
    const { entries, next: after } = page(tree, { from: next, limit: limits.pageItemsMax });
    for (const each of entries) {
      next = each.index + 1;
      if (JSON.stringify(each.entry).includes(about)) found.push(each);
      if (found.length === limit) return { entries: found, next };
    }
    if (entries.length === 0) return { entries: found, next: after };
    await setImmediate();
  }
  return { entries: found, next };
}

/** For witnesses that follow the infrastructure's tree alone. */
async function proveThrough(
  { tree, infrastructure, witnessing }: LedgerRouteParts,
  index: number,
): Promise<LedgerProof> {
  if (index >= tree.head.size) throw refusal('not-found', `the ledger has ${tree.head.size} entries`);
  let proved = infrastructure.prove(tree, index);
  if (proved === null || proved.head.index >= (infrastructure.tree.cosigned?.size ?? 0)) {
    await infrastructure.run();
    await witnessing.run();
    proved = infrastructure.prove(tree, index);
  }
  if (proved === null)
    throw refusal('not-found', `entry ${index} is not under a logged head yet`, ['try again in a second']);
  return { ...proved.entry, head: proved.head.receipt };
}

async function indexOf(decisions: Decisions, attempt: string): Promise<number> {
  const { row } = await decisions.get(attempt);
  if (row.index === null) throw refusal('not-found', `${attempt} is not in the tree yet`, ['try again in a second']);
  return row.index;
}
