import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createLabel, joinLabels, type Label, parseLabel } from '@cordon/policy';
import { type RecordValue, type SessionPolicy, systemClock } from '@cordon/protocol';
import { openStore, type Store } from '@cordon/store';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Labels } from '../src/labels/labels.ts';
import { startLabels } from '../src/labels/start.ts';
import type { Note } from '../src/ledger/recorder.ts';

let folder: string;
let store: Store;
const notes: Note[] = [];
let broken = false;
const record = (note: Note) => {
  if (broken) return Promise.reject(new Error('no disk'));
  notes.push(note);
  return Promise.resolve({} as never);
};

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'labels-'));
  store = await openStore(path.join(folder, 'db'));
});
beforeEach(() => {
  notes.length = 0;
  broken = false;
});
afterAll(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

const untrusted = createLabel({
  integrity: 0,
  confidentiality: 0,
  readers: 'all',
  sources: ['https://news.example:443'],
});
const asRecord = (label: Label) => label as unknown as RecordValue;
const open = () => new Labels({ store: store.labels, recorder: { record }, clock: systemClock });
const both = { trusted: true, public: true };

async function begin(
  place: string,
  declared = { trusted: true, public: false },
  readOnly: string[] = [],
): Promise<Label> {
  const order = { workspace: { path: place, mode: 'proposal' as const }, readOnly };
  const { start } = await startLabels(
    { around: (folders) => open().around(folders) },
    { person: 'ada', order, declared, words: [] },
  );
  const label = parseLabel(start);
  if (label === null) throw new TypeError('no label');
  return label;
}

function policyOf(
  session: string,
  place: string,
  mode: 'direct' | 'proposal',
  start = asRecord(untrusted),
): SessionPolicy {
  return { session, labels: { start, order: [], workspace: { path: place, mode } } } as unknown as SessionPolicy;
}

describe('what a session starts with', () => {
  it('is anybody’s and private, unless its owner says otherwise', async () => {
    expect(await begin('/w0', { trusted: false, public: false })).toMatchObject({ integrity: 0, confidentiality: 2 });
    expect(await begin('/w0')).toMatchObject({ integrity: 2, confidentiality: 2, readers: ['ada'] });
    // What the person orders is the person's.
    expect(await begin('/w0', both)).toMatchObject({ integrity: 2, confidentiality: 1, readers: ['ada'] });
  });

  it('is what sessions have left there, in it, and around it; whatever its owner says', async () => {
    await open().reported(policyOf('ses_1', '/a/b', 'direct'), asRecord(untrusted));
    for (const place of ['/a/b', '/a', '/a/b/c']) expect((await begin(place, both)).integrity, place).toBe(0);
    for (const place of ['/a/bc', '/ab', '/a/x']) expect((await begin(place, both)).integrity, place).toBe(2);
    // What it is shown beside its workspace counts as well.
    expect((await begin('/elsewhere', both, ['/a/b/c'])).integrity).toBe(0);
  });
});

describe('what a session leaves', () => {
  it('is recorded, then stored; what cannot be recorded is not', async () => {
    broken = true;
    await expect(open().reported(policyOf('ses_2', '/r', 'direct'), asRecord(untrusted))).rejects.toThrow();
    expect(await store.labels.get({ folder: '/r' })).toBeNull();
    broken = false;
    await open().reported(policyOf('ses_2', '/r', 'direct'), asRecord(untrusted));
    expect(notes).toMatchObject([
      { type: 'label', session: 'ses_2', data: { folder: '/r', of: 'folder', before: null } },
    ]);
    expect(await store.labels.get({ folder: '/r' })).not.toBeNull();
  });

  it('is nothing while it only proposes, and vouched for by the person who applies it', async () => {
    const labels = open();
    const secret = createLabel({ integrity: 0, confidentiality: 2, readers: ['ada'], sources: [] });
    await labels.reported(policyOf('ses_3', '/p', 'proposal'), asRecord(secret));
    expect(await store.labels.get({ folder: '/p' })).toBeNull();
    await labels.applied('ses_3', '/p', 'ada', null);
    expect(notes.at(-1)).toMatchObject({ data: { cause: 'apply', by: 'ada', folder: '/p' } });
    // The look vouches for the words, and makes nothing public.
    expect(await begin('/p', both)).toMatchObject({ integrity: 2, confidentiality: 2 });
    // Whoever is not known to have seen nothing has seen everything.
    await labels.applied('ses_never', '/q', 'ada', null);
    expect(await begin('/q', both)).toMatchObject({ confidentiality: 2, readers: [] });
  });

  it('is what a gateway says only of sessions that are alive, and the worst where it says nothing that is a label', async () => {
    await expect(open().reported(null, asRecord(untrusted))).rejects.toMatchObject({ code: 'session-ended' });
    await open().reported(policyOf('ses_4', '/bad', 'direct'), { v: 'label/1', integrity: 9 });
    expect(await begin('/bad', both)).toMatchObject({ integrity: 0, confidentiality: 2, readers: [] });
  });
});

describe('no sequence of reads, stores and new sessions', () => {
  const label = fc
    .record({
      integrity: fc.constantFrom(0, 1, 2, 3, 4),
      confidentiality: fc.constantFrom(0, 1, 2, 3),
      readers: fc.oneof(fc.constant('all' as const), fc.subarray(['ada', 'bob'])),
    })
    .map((parts) => createLabel({ ...parts, sources: [] } as Parameters<typeof createLabel>[0]));
  const step = fc.record({
    act: fc.constantFrom('seen', 'apply', 'start'),
    session: fc.constantFrom('a', 'b', 'c'),
    place: fc.constantFrom('x', 'x/y', 'z'),
    mode: fc.constantFrom('direct' as const, 'proposal' as const),
    label,
  });

  it('raises what is stored, or lets a session start above it', async () => {
    let round = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        round += 1;
        const at = (place: string) => `/model${round}/${place}`;
        const labels = open();
        const model = new Map<string, Label>();
        const fall = (place: string, by: Label) => {
          const known = model.get(place);
          model.set(place, known === undefined ? by : joinLabels(known, by));
        };
        for (const { act, session, place, mode, label: by } of steps) {
          const id = `ses_${round}_${session}`;
          if (act === 'seen') {
            await labels.reported(policyOf(id, at(place), mode), asRecord(by));
            if (mode === 'direct') fall(at(place), by);
          } else if (act === 'apply') {
            await labels.applied(id, at(place), 'ada', null);
          } else {
            const start = await begin(at(place), both);
            const stored = parseLabel((await store.labels.get({ folder: at(place) }))?.label);
            if (stored !== null)
              expect(joinLabels(start, stored)).toMatchObject({ ...start, sources: expect.anything() });
          }
          for (const [where, least] of model) {
            const stored = parseLabel((await store.labels.get({ folder: where }))?.label);
            expect(stored).not.toBeNull();
            if (stored === null) continue;
            expect(stored.integrity).toBeLessThanOrEqual(least.integrity);
            expect(stored.confidentiality).toBeGreaterThanOrEqual(least.confidentiality);
          }
        }
      }),
      { numRuns: 25 },
    );
  }, 60_000);
});
