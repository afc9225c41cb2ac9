import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  createCheckpointKey,
  createWitnessKey,
  type EntryDraft,
  headData,
  infrastructureName,
  type LedgerTree,
  openCosigner,
  openJournal,
  openSigner,
  openTree,
  parseWitnessPolicy,
  splitNote,
  type VerifyPart,
  verifyLedger,
} from '@cordon/ledger';
import { canonicalize, type RecordValue } from '@cordon/protocol';
import { digestRecord } from '@cordon/protocol/digest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verifyCounters } from '../../apps/verify/src/counters/counters.ts';
import { Engines } from '../../apps/verify/src/engines.ts';
import { createReplay } from '../../apps/verify/src/replay.ts';
import { changeFrame, flipBit, readFrames, writeFrames } from '../support/frames.ts';
import { recordLedger } from '../support/recorded-ledger.ts';

/**
 * The tamper matrix: what somebody may do to the files of a ledger, and which part of the verifier names it how. Each
 * case is done to a fresh copy, and both verifiers must say the same about it (validation.md §9).
 */
const origin = 'local.tamper.invalid/ledger';
const logKey = createCheckpointKey(origin);
const signer = openSigner(origin, logKey.privatePem);
const hostKey = createCheckpointKey('tamper.invalid/ledger');
const hostSigner = openSigner('tamper.invalid/ledger', hostKey.privatePem);
const witness = createWitnessKey('witness.tamper.invalid/w1');
const policyText = `witness w1 ${witness.verifierKey}\nquorum w1\n`;
const python = path.join(import.meta.dirname, '../../tools/verify_ledger.py');
const engines = new Engines([], false);

let root = '';
let good = '';
let other = '';
let earlier = '';
let heldNote = '';

/** Files of one copy. */
interface Copy {
  readonly home: string;
  readonly journals: string;
  readonly tree: string;
  /** The host's own tree, which logs the heads of the other. */
  readonly host: string;
  /** The first and the last segment of the gateway's journal, and the bodies of the first. */
  readonly first: string;
  readonly last: string;
  readonly bodies: string;
}

function copyOf(home: string): Copy {
  const journals = path.join(home, 'ledger/journal/local');
  const gateway = path.join(journals, 'gw');
  const names = existsSync(gateway) ? readdirSync(gateway) : [];
  const segments = names.filter((name) => name.endsWith('.journal')).sort();
  const [first = '', last = ''] = [segments[0], segments.at(-1)];
  return {
    home,
    journals,
    tree: path.join(home, 'ledger/tree/local'),
    host: path.join(home, 'ledger/tree', infrastructureName),
    first: path.join(gateway, first),
    last: path.join(gateway, last),
    bodies: path.join(gateway, first.replace('.journal', '.bodies')),
  };
}

/** A clock of which each look is two minutes later, so that every head is kept. */
function steppingClock() {
  let now = Date.UTC(2026, 0, 1);
  return { now: () => (now += 120_000) };
}

/** Takes all into the tree and has the head cosigned. */
async function integrate(home: string, by = signer, cosigned = true): Promise<void> {
  const { journals, tree: directory } = copyOf(home);
  await using tree = await openTree({ directory, journals, signer: by, clock: steppingClock() });
  while ((await tree.integrate()).more);
  if (cosigned) await cosign(tree);
  await logHead(home, tree, cosigned);
}

async function cosign(tree: LedgerTree): Promise<void> {
  const line = openCosigner('witness.tamper.invalid/w1', witness.privatePem).cosign(
    splitNote(tree.head.checkpoint).text,
    1_790_000_000,
  );
  await tree.keepCosigned(tree.head.checkpoint + line);
}

/** As the control plane does with each head of a tenant. */
async function logHead(home: string, of: LedgerTree, cosigned: boolean): Promise<void> {
  const journals = path.join(home, 'ledger/journal', infrastructureName);
  const clock = steppingClock();
  {
    await using journal = await openJournal({ directory: journals, tenant: infrastructureName, writer: 'cp', clock });
    await journal.append({ session: null, type: 'head', data: headData(of) }, 'disk');
  }
  await using tree = await openTree({ directory: copyOf(home).host, journals, signer: hostSigner, clock });
  while ((await tree.integrate()).more);
  if (cosigned) await cosign(tree);
}

async function make(name: string, forge: (draft: EntryDraft) => EntryDraft | null = (draft) => draft): Promise<string> {
  const home = path.join(root, name);
  mkdirSync(home, { recursive: true });
  await recordLedger({ home, decisions: 40, sessions: 2, grants: 6, journal: { segmentBytes: 60_000 }, forge });
  await integrate(home);
  return home;
}

/** One more entry, and the tree with it. */
async function grow(home: string): Promise<void> {
  const { journals } = copyOf(home);
  const clock = { now: () => Date.UTC(2026, 0, 2) };
  await using journal = await openJournal({ directory: journals, tenant: 'local', writer: 'cp', clock });
  await journal.append({ session: null, type: 'heartbeat', data: {} }, 'disk');
}

beforeAll(async () => {
  root = mkdtempSync(path.join(tmpdir(), 'cordon-tamper-'));
  good = await make('good');
  earlier = path.join(root, 'earlier');
  cpSync(good, earlier, { recursive: true });
  await grow(good);
  await integrate(good);
  heldNote = readFileSync(path.join(copyOf(good).tree, 'checkpoint'), 'utf8');
  other = await make('other', (draft) =>
    draft.type === 'decision' ? { ...draft, data: { ...draft.data, channel: 'c2' } } : draft,
  );
}, 120_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

type Found = Partial<Record<VerifyPart, readonly string[]>>;

/** Codes per part; a part without any is left out. */
function verify(
  home: string,
  key = logKey.verifierKey,
  checkpoints: readonly string[] = [],
): { found: Found; open: readonly string[] } {
  const { journals, tree, host } = copyOf(home);
  const report = verifyLedger({
    ...{ journals, tree, verifierKey: key, checkpoints },
    infrastructure: { tree: host, verifierKey: hostKey.verifierKey },
    witnesses: parseWitnessPolicy(policyText),
    decisions: { replay: createReplay(engines) },
    counters: (folder) => verifyCounters(folder),
  });
  const found = Object.fromEntries(
    report.parts
      .filter(({ ok }) => !ok)
      .map(({ part, failures }) => [part, [...new Set(failures.map(({ code }) => code))].sort()]),
  );
  return { found, open: report.parts.filter(({ open }) => open).map(({ part }) => part) };
}

interface PythonReport {
  readonly ok: boolean;
  readonly notes: readonly string[];
  readonly parts: readonly { readonly part: VerifyPart; readonly open: boolean; readonly codes: readonly string[] }[];
}

/** The same by the second verifier, for the parts that it knows. */
function verifyInPython(home: string, key = logKey.verifierKey, checkpoints: readonly string[] = []): Found {
  const { parts } = askPython(home, key, checkpoints);
  return Object.fromEntries(parts.filter(({ codes }) => codes.length > 0).map(({ part, codes }) => [part, codes]));
}

function askPython(home: string, key = logKey.verifierKey, checkpoints: readonly string[] = []): PythonReport {
  const { journals, tree, host } = copyOf(home);
  const files = {
    ...{
      key: path.join(home, 'log.vkey'),
      host: path.join(home, 'host.vkey'),
      witnesses: path.join(home, 'witnesses'),
    },
  };
  writeFileSync(files.key, key);
  writeFileSync(files.host, hostKey.verifierKey);
  writeFileSync(files.witnesses, policyText);
  const given = checkpoints.flatMap((note, i) => {
    writeFileSync(path.join(home, `held-${i}`), note);
    return ['--checkpoint', path.join(home, `held-${i}`)];
  });
  const words = [
    ...['--journal', journals, '--tree', tree, '--key', files.key, '--witnesses', files.witnesses],
    ...['--infrastructure', host, '--infrastructure-key', files.host, ...given],
  ];
  const done = spawnSync('python3', [python, ...words], { encoding: 'utf8' });
  if (done.stdout === '') throw new Error(done.stderr);
  const report = JSON.parse(done.stdout) as PythonReport;
  expect([done.status, report.ok]).toEqual(report.ok ? [0, true] : [1, false]);
  return report;
}

function byBoth(home: string, key?: string, checkpoints?: readonly string[]): Found {
  const { found } = verify(home, key, checkpoints);
  expect(verifyInPython(home, key, checkpoints), 'the second verifier').toEqual(inClear(found));
  return found;
}

/** What needs the engine, or the bodies of policies, only the first verifier finds. */
function inClear({ decisions: _, kill: __, ...shared }: Found): Found {
  const sealed = ['yields', 'budget'];
  const parts = Object.entries(shared).map(([part, codes]) => [part, codes.filter((code) => !sealed.includes(code))]);
  return Object.fromEntries(parts.filter(([, codes]) => codes?.length !== 0)) as Found;
}

interface Case {
  readonly name: string;
  readonly tamper: (copy: Copy) => void | Promise<void>;
  /** At least these codes in these parts. */
  readonly found: Found;
  /** Verified with another key than the log's. */
  readonly key?: string;
  /** The reader kept the newest checkpoint elsewhere. */
  readonly held?: boolean;
}

/** Some bits of the last signature, so that it is base64 still. */
function turnLetter(file: string): void {
  const at = text(file).length - 40;
  writeFileSync(file, `${text(file).slice(0, at)}${text(file)[at] === 'A' ? 'B' : 'A'}${text(file).slice(at + 1)}`);
}

/** The line of the log's second key is the second of the signatures. */
const withoutSecond = (note: string): string => note.split('\n').toSpliced(5, 1).join('\n');
const dropSecond = (file: string): void => writeFileSync(file, withoutSecond(text(file)));

const swap = (a: string, b: string): void => {
  renameSync(a, `${a}.tmp`);
  renameSync(b, a);
  renameSync(`${a}.tmp`, b);
};
/** Of the first session's second decision: an allow. */
const third = 10;
const edit = (from: string, to: string) => (copy: Copy) =>
  changeFrame(copy.first, third, (frame) => ({ ...frame, entry: frame.entry.replace(from, to) }));
const tileOf = (copy: Copy, level: string): string => {
  const folder = path.join(copy.tree, 'tile', level);
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => path.join(folder, name));
  return names.find((name) => statSync(name).isFile()) ?? '';
};
const text = (file: string): string => readFileSync(file, 'utf8');

const bytes: readonly Case[] = [
  {
    name: 'a bit of a frame’s length',
    tamper: ({ first }) => flipBit(first, 2),
    found: { entries: ['frame'], tree: ['journal'] },
  },
  {
    name: 'a bit of a frame’s checksum',
    tamper: ({ first }) => flipBit(first, 5),
    found: { entries: ['frame'], tree: ['journal'] },
  },
  { name: 'a bit of a frame’s synced mark', tamper: ({ first }) => flipBit(first, 15), found: { entries: ['frame'] } },
  {
    name: 'a bit of an entry',
    tamper: ({ first }) => flipBit(first, 120),
    found: { entries: ['frame'], tree: ['journal'] },
  },
  {
    name: 'a bit in the last segment',
    tamper: ({ last }) => flipBit(last, 120),
    found: { entries: ['frame'], tree: ['journal'] },
  },
  {
    name: 'a synced mark that is too high, checksum made to fit',
    tamper: ({ first }) => changeFrame(first, third, (frame) => ({ ...frame, synced: 9_999n })),
    found: { entries: ['synced'] },
  },
  {
    name: 'a value, checksum made to fit',
    tamper: edit('"outcome":"allow"', '"outcome":"deny"'),
    found: { complete: ['prev'], tree: ['journal'] },
  },
  {
    name: 'an entry’s time, checksum made to fit',
    tamper: edit('2026-01-01', '2025-01-01'),
    found: { complete: ['prev'], tree: ['journal'] },
  },
  {
    name: 'an entry’s number, checksum made to fit',
    tamper: edit('"wseq":11}', '"wseq":19}'),
    found: { complete: ['wseq'], tree: ['journal'] },
  },
  {
    name: 'an entry’s writer',
    tamper: edit('"writer":"gw"', '"writer":"cp"'),
    found: { entries: ['writer'], complete: ['prev'] },
  },
  {
    name: 'an entry’s tenant',
    tamper: edit('"tenant":"local"', '"tenant":"other"'),
    found: { entries: ['tenant'], complete: ['prev'] },
  },
  {
    name: 'an entry’s predecessor',
    tamper: edit('"prev":"sha256:', '"prev":"sha256:0'),
    found: { entries: ['entry'], complete: ['wseq'] },
  },
  {
    name: 'an entry in another spelling',
    tamper: edit('{"at"', '{ "at"'),
    found: { entries: ['canonical'], complete: ['prev'], tree: ['journal'] },
  },
  {
    name: 'no entry at all, checksum made to fit',
    tamper: ({ first }) => changeFrame(first, third, (frame) => ({ ...frame, entry: '[]' })),
    found: { entries: ['entry'], complete: ['wseq'], tree: ['journal'] },
  },
  {
    name: 'a seal’s digest',
    tamper: ({ first }) =>
      changeFrame(first, 1, (frame) => ({
        ...frame,
        entry: frame.entry.replace(/"digest":"sha256:.{4}/, '"digest":"sha256:0000'),
      })),
    found: { entries: ['body'], complete: ['prev'] },
  },
  {
    name: 'a bit of a body’s length',
    tamper: ({ bodies }) => flipBit(bodies, 3),
    found: { entries: ['body', 'body-frame'] },
  },
  {
    name: 'a bit of a body’s digest',
    tamper: ({ bodies }) => flipBit(bodies, 10),
    found: { entries: ['body', 'body-frame'] },
  },
  { name: 'a bit of a body', tamper: ({ bodies }) => flipBit(bodies, 100), found: { entries: ['body', 'body-frame'] } },
  {
    name: 'a bit of a hash tile',
    tamper: (copy) => flipBit(tileOf(copy, '0'), 40),
    found: { tree: ['tile'], witnesses: ['fork'] },
  },
  {
    name: 'a bit of an entry bundle',
    tamper: (copy) => flipBit(tileOf(copy, 'entries'), 40),
    found: { tree: ['root', 'tile'] },
  },
  {
    name: 'a bit of a bundle’s length',
    tamper: (copy) => flipBit(tileOf(copy, 'entries'), 1),
    found: { tree: ['bundle'] },
  },
  {
    name: 'the checkpoint’s size',
    tamper: ({ tree }) =>
      writeFileSync(path.join(tree, 'checkpoint'), text(path.join(tree, 'checkpoint')).replace(/\n(\d+)\n/, '\n1\n')),
    found: { tree: ['signature'], witnesses: ['signature'] },
  },
  {
    name: 'a bit of the checkpoint’s signature',
    tamper: ({ tree }) => {
      const file = path.join(tree, 'checkpoint');
      flipBit(file, readFileSync(file).indexOf('— ') + origin.length + 20);
    },
    found: { tree: ['signature'], witnesses: ['signature'] },
  },
  {
    name: 'a kept head',
    tamper: ({ tree }) => flipBit(path.join(tree, 'checkpoints.jsonl'), 45),
    found: { tree: ['signature'] },
  },
  {
    name: 'the cosigned head',
    tamper: ({ tree }) =>
      writeFileSync(path.join(tree, 'cosigned'), text(path.join(tree, 'cosigned')).replace(/\n(\d+)\n/, '\n1\n')),
    found: { witnesses: ['signature'] },
  },
  {
    name: 'a bit of a cosignature',
    tamper: ({ tree }) => turnLetter(path.join(tree, 'cosigned')),
    found: { witnesses: ['quorum'] },
  },
];

const losses: readonly Case[] = [
  {
    name: 'the last frame cut in the middle',
    tamper: ({ last }) => truncateSync(last, statSync(last).size - 10),
    found: { tree: ['journal'] },
  },
  {
    name: 'the last entries lost without a trace',
    tamper: ({ last }) => writeFrames(last, readFrames(last).slice(0, -2)),
    found: { tree: ['journal'] },
  },
  {
    name: 'a finished segment cut',
    tamper: ({ first }) => truncateSync(first, statSync(first).size - 10),
    found: { entries: ['frame'], complete: ['wseq'] },
  },
  {
    name: 'a finished body file cut',
    tamper: ({ bodies }) => truncateSync(bodies, statSync(bodies).size - 10),
    found: { entries: ['body', 'body-frame'] },
  },
  {
    name: 'one entry taken out',
    tamper: ({ first }) => writeFrames(first, readFrames(first).toSpliced(5, 1)),
    found: { complete: ['prev', 'wseq'], tree: ['journal'] },
  },
  {
    name: 'the first segment taken away',
    tamper: ({ first }) => rmSync(first),
    found: { complete: ['wseq'], tree: ['journal'] },
  },
  { name: 'the last segment taken away', tamper: ({ last }) => rmSync(last), found: { tree: ['journal'] } },
  { name: 'the bodies taken away', tamper: ({ bodies }) => rmSync(bodies), found: { entries: ['body'] } },
  {
    name: 'a writer taken away',
    tamper: ({ journals }) => rmSync(path.join(journals, 'cp'), { recursive: true }),
    found: { tree: ['journal'] },
  },
  {
    name: 'all journals taken away',
    tamper: ({ journals }) => rmSync(journals, { recursive: true }),
    found: { entries: ['missing'], tree: ['journal'] },
  },
  {
    name: 'a hash tile taken away',
    tamper: (copy) => rmSync(tileOf(copy, '0')),
    found: { tree: ['tile'], witnesses: ['tile'] },
  },
  {
    name: 'an entry bundle taken away',
    tamper: (copy) => rmSync(tileOf(copy, 'entries')),
    found: { tree: ['bundle'] },
  },
  {
    name: 'the checkpoint taken away',
    tamper: ({ tree }) => rmSync(path.join(tree, 'checkpoint')),
    found: { tree: ['signature'] },
  },
  {
    name: 'the second signature of the head taken away',
    tamper: ({ tree }) => dropSecond(path.join(tree, 'checkpoint')),
    found: { tree: ['downgrade'], witnesses: ['downgrade'] },
  },
  {
    name: 'the second signature of the cosigned head taken away',
    tamper: ({ tree }) => dropSecond(path.join(tree, 'cosigned')),
    found: { witnesses: ['downgrade'] },
  },
  {
    name: 'the second signature of the last kept head taken away',
    tamper: ({ tree }) => {
      const file = path.join(tree, 'checkpoints.jsonl');
      const notes = text(file).trim().split('\n');
      const last = withoutSecond(JSON.parse(notes.at(-1) ?? '""') as string);
      writeFileSync(file, `${[...notes.slice(0, -1), JSON.stringify(last)].join('\n')}\n`);
    },
    found: { tree: ['downgrade'] },
  },
  {
    name: 'the cosigned heads taken away',
    tamper: ({ tree, host }) => {
      for (const folder of [tree, host]) rmSync(path.join(folder, 'cosigned'));
    },
    found: { witnesses: ['quorum'] },
  },
];

const moves: readonly Case[] = [
  {
    name: 'two entries exchanged',
    tamper: ({ first }) => {
      const frames = readFrames(first);
      writeFrames(first, frames.with(4, frames[5] ?? fail()).with(5, frames[4] ?? fail()));
    },
    found: { complete: ['prev', 'wseq'], tree: ['journal'] },
  },
  {
    name: 'two segments exchanged',
    tamper: ({ first, last }) => swap(first, last),
    found: { complete: ['wseq'], tree: ['journal'] },
  },
  {
    name: 'an entry twice',
    tamper: ({ first }) => {
      const frames = readFrames(first);
      writeFrames(first, frames.toSpliced(5, 0, frames[4] ?? fail()));
    },
    found: { complete: ['wseq'] },
  },
  {
    name: 'a forged entry put in',
    tamper: ({ first }) => {
      const frames = readFrames(first);
      const forged = {
        ...(frames[4] ?? fail()),
        entry: (frames[4] ?? fail()).entry.replace('"gw"', '"gw"').replace('att_', 'atx_'),
      };
      writeFrames(first, frames.toSpliced(5, 0, forged));
    },
    found: { complete: ['prev', 'wseq'], tree: ['journal'] },
  },
  {
    name: 'an entry of another ledger in its place',
    tamper: ({ first }) => {
      const theirs = readFrames(copyOf(other).first)[3] ?? fail();
      changeFrame(first, third, () => theirs);
    },
    found: { complete: ['prev'], tree: ['journal'] },
  },
  {
    name: 'a segment of another ledger in its place',
    tamper: ({ last }) => cpSync(copyOf(other).last, last),
    found: { complete: ['prev'], tree: ['journal'] },
  },
  {
    name: 'a writer of another ledger in its place',
    tamper: ({ journals }) => {
      rmSync(path.join(journals, 'gw'), { recursive: true });
      cpSync(path.join(copyOf(other).journals, 'gw'), path.join(journals, 'gw'), { recursive: true });
    },
    found: { tree: ['journal'] },
  },
  {
    name: 'the tree of another ledger in its place',
    tamper: ({ tree }) => {
      rmSync(tree, { recursive: true });
      cpSync(copyOf(other).tree, tree, { recursive: true });
    },
    found: { tree: ['journal', 'shortened'] },
    held: true,
  },
];

const histories: readonly Case[] = [
  {
    name: 'the head of another key',
    tamper: () => undefined,
    key: createCheckpointKey(origin).verifierKey,
    found: { tree: ['signature'], witnesses: ['signature'] },
  },
  {
    name: 'an old state of everything, cosigned then',
    tamper: ({ home }) => {
      rmSync(path.join(home, 'ledger'), { recursive: true });
      cpSync(path.join(earlier, 'ledger'), path.join(home, 'ledger'), { recursive: true });
    },
    held: true,
    found: { tree: ['shortened'] },
  },
  {
    name: 'an old checkpoint with its tiles',
    tamper: ({ tree }) => {
      const cosigned = text(path.join(tree, 'cosigned'));
      rmSync(tree, { recursive: true });
      cpSync(copyOf(earlier).tree, tree, { recursive: true });
      writeFileSync(path.join(tree, 'cosigned'), cosigned);
    },
    found: { witnesses: ['shortened'] },
  },
  {
    name: 'everything rewritten and signed again with the log key',
    tamper: async (copy) => {
      const cosigned = text(path.join(copy.tree, 'cosigned'));
      rmSync(path.join(copy.home, 'ledger'), { recursive: true });
      cpSync(path.join(other, 'ledger/journal'), path.join(copy.home, 'ledger/journal'), { recursive: true });
      await grow(copy.home);
      await integrate(copy.home, signer, false);
      writeFileSync(path.join(copy.tree, 'cosigned'), cosigned);
    },
    found: { witnesses: ['fork'] },
  },
  {
    name: 'everything rewritten, signed again, and a kept head of before',
    tamper: async (copy) => {
      const kept = text(path.join(copy.tree, 'checkpoints.jsonl'));
      rmSync(path.join(copy.home, 'ledger'), { recursive: true });
      cpSync(path.join(other, 'ledger/journal'), path.join(copy.home, 'ledger/journal'), { recursive: true });
      await grow(copy.home);
      await integrate(copy.home, signer, false);
      writeFileSync(path.join(copy.tree, 'checkpoints.jsonl'), kept);
    },
    found: { tree: ['fork'], witnesses: ['quorum'] },
  },
];

/** The tenant's own files as they were; the infrastructure's stay. */
const rollBack = ({ journals, tree }: Copy): void => {
  for (const [own, theirs] of [
    [journals, copyOf(earlier).journals],
    [tree, copyOf(earlier).tree],
  ] as const) {
    rmSync(own, { recursive: true });
    cpSync(theirs, own, { recursive: true });
  }
};

const infrastructure: readonly Case[] = [
  {
    name: 'a tenant’s ledger of before, while the infrastructure has logged more',
    tamper: rollBack,
    found: { heads: ['behind'] },
  },
  {
    name: 'a tenant’s ledger of before, logged as if nothing had been',
    tamper: async (copy) => {
      rollBack(copy);
      await using tree = await openTree({
        ...{ directory: copy.tree, journals: copy.journals, signer, clock: steppingClock() },
      });
      await logHead(copy.home, tree, true);
    },
    found: { heads: ['behind', 'rollback'] },
  },
  {
    name: 'a tenant’s ledger rewritten and signed again with its key',
    tamper: async ({ home, journals, tree: directory }) => {
      rmSync(directory, { recursive: true });
      rmSync(journals, { recursive: true });
      cpSync(copyOf(other).journals, journals, { recursive: true });
      await grow(home);
      await using tree = await openTree({ directory, journals, signer, clock: steppingClock() });
      while ((await tree.integrate()).more);
    },
    // No witness follows the tenant's own tree then; those of the infrastructure have seen the heads that it logged.
    found: { heads: ['fork'], witnesses: ['fork'] },
  },
  {
    name: 'the infrastructure’s head taken away',
    tamper: ({ host }) => rmSync(path.join(host, 'checkpoint')),
    found: { heads: ['signature'] },
  },
  {
    name: 'the second signature of the infrastructure’s head taken away',
    tamper: ({ host }) => dropSecond(path.join(host, 'checkpoint')),
    found: { heads: ['downgrade'] },
  },
  {
    name: 'another size in a head that the infrastructure logged',
    tamper: ({ host }) => editBundle(host, '"size":', '"size":1'),
    found: { heads: ['bundle'] },
  },
  {
    name: 'another root in a head that the infrastructure logged',
    tamper: ({ host }) => editBundle(host, '"root":"sha256:', '"root":"sha257:'),
    found: { heads: ['root'] },
  },
];

function editBundle(tree: string, was: string, is: string): void {
  const folder = path.join(tree, 'tile/entries');
  const [file = ''] = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(path.join(folder, name)).isFile(),
  );
  const at = path.join(folder, file);
  const bytes = readFileSync(at).toString('latin1');
  expect(bytes).toContain(was);
  writeFileSync(at, bytes.replace(was, is), 'latin1');
}

function fail(): never {
  throw new Error('the ledger has more entries than this');
}

describe('the tamper matrix', () => {
  it('starts from a ledger in which both verifiers find nothing wrong', () => {
    expect(verify(good)).toEqual({ found: {}, open: [] });
    expect(verifyInPython(good)).toEqual({});
    expect(copyOf(good).first).not.toBe(copyOf(good).last);
  });

  it.each([...bytes, ...losses, ...moves, ...histories, ...infrastructure])(
    'names $name',
    async ({ tamper, found, key, held }) => {
      const home = mkdtempSync(path.join(root, 'case-'));
      cpSync(path.join(good, 'ledger'), path.join(home, 'ledger'), { recursive: true });
      await tamper(copyOf(home));
      const named = byBoth(home, key, held === true ? [heldNote] : []);
      for (const [part, codes] of Object.entries(found)) {
        expect(named[part as VerifyPart] ?? [], part).toEqual(expect.arrayContaining([...codes]));
      }
      rmSync(home, { recursive: true });
    },
  );

  it('says what it cannot find: an entry behind the tree’s head, and a clock that was set back', async () => {
    const home = mkdtempSync(path.join(root, 'case-'));
    cpSync(path.join(good, 'ledger'), path.join(home, 'ledger'), { recursive: true });
    await grow(home);
    // Whoever can write the journal can also append to it; the writer's own head and the next integration are what shows it.
    expect(byBoth(home)).toEqual({});
    const { journals } = copyOf(home);
    const clock = { now: () => Date.UTC(2020, 0, 1) };
    {
      await using journal = await openJournal({ directory: journals, tenant: 'local', writer: 'cp', clock });
      await journal.append({ session: null, type: 'heartbeat', data: {} }, 'disk');
    }
    expect(byBoth(home)).toEqual({});
    const complete = verifyLedger({ journals, tree: null, verifierKey: null, parts: ['complete'] }).parts[0];
    expect(complete?.counts['clockSetBack']).toBeGreaterThan(0);
  });
});

describe('the second signature of a head', () => {
  it('is found wrong by the first verifier, and left open by the second, which has no ML-DSA', () => {
    const home = mkdtempSync(path.join(root, 'case-'));
    cpSync(path.join(good, 'ledger'), path.join(home, 'ledger'), { recursive: true });
    const whole = askPython(home);
    expect(whole.notes.join()).toContain('not checked: the ML-DSA-44 signatures');
    expect(whole.parts.filter(({ open }) => open).map(({ part }) => part)).toEqual(['tree', 'heads', 'witnesses']);
    const first = askPython(home, logKey.verifierKey.split('\n')[0]);
    expect([first.notes, first.parts.filter(({ open }) => open)]).toEqual([[], []]);
    turnLetter(path.join(copyOf(home).tree, 'checkpoint'));
    expect(verify(home).found).toEqual({ tree: ['signature'], heads: ['signature'], witnesses: ['signature'] });
    expect(verifyInPython(home)).toEqual({});
    // Who pins the first key alone has no use for the line.
    expect(verify(home, logKey.verifierKey.split('\n')[0]).found).toEqual({});
    rmSync(home, { recursive: true });
  });
});

describe('what only the replay of decisions finds, in a ledger that is whole and signed', () => {
  type Members = Record<string, RecordValue>;
  const forgeFirst = (change: (body: Members, data: Members) => void) => {
    let done = false;
    return (draft: EntryDraft): EntryDraft => {
      if (done || draft.type !== 'decision' || draft.data['outcome'] !== 'allow') return draft;
      done = true;
      const body = JSON.parse(String(draft.body)) as Members;
      const data: Members = { ...draft.data };
      change(body, data);
      const record = body['decision'] as Members;
      data['decision'] = digestRecord('decision', record);
      return { ...draft, data, body: canonicalize(body) };
    };
  };

  it.each([
    [
      'another bundle',
      'policy',
      (draft: EntryDraft) =>
        draft.type === 'policy' ? { ...draft, body: String(draft.body).replace('context.live', 'true') } : draft,
    ],
    [
      'another engine',
      'not replayable',
      forgeFirst((body) =>
        Object.assign((body['decision'] as Members)['policy'] as Members, { engine: `sha256:${'e'.repeat(64)}` }),
      ),
    ],
    [
      'another fact',
      'decision',
      forgeFirst((body, data) => {
        body['facts'] = { ...(body['facts'] as Members), breaker: 2 };
        const digest = digestRecord('facts', body['facts']);
        Object.assign(body['decision'] as Members, { facts: digest });
        data['facts'] = digest;
      }),
    ],
  ] as const)('%s', async (name, code, forge) => {
    const home = await make(`forged ${name}`, forge);
    const { found, open } = verify(home);
    expect(verifyInPython(home)).toEqual({});
    if (code === 'not replayable') expect([found, open]).toEqual([{}, ['decisions']]);
    else expect(found).toEqual({ decisions: [code] });
  });
});

describe('the second verifier', () => {
  it('takes a receipt that the first makes, and none that was changed', async () => {
    const home = mkdtempSync(path.join(root, 'case-'));
    cpSync(path.join(good, 'ledger'), path.join(home, 'ledger'), { recursive: true });
    const { journals, tree: directory } = copyOf(home);
    await using tree = await openTree({ directory, journals, signer, clock: steppingClock() });
    const { receipt } = tree.prove(7);
    const files = {
      proof: path.join(home, 'a.tlog-proof'),
      key: path.join(home, 'k'),
      witnesses: path.join(home, 'w'),
    };
    writeFileSync(files.key, logKey.verifierKey);
    writeFileSync(files.witnesses, policyText);
    const words = [python, '--proof', files.proof, '--key', files.key, '--witnesses', files.witnesses];
    writeFileSync(files.proof, receipt);
    const answer = JSON.parse(execFileSync('python3', words, { encoding: 'utf8' })) as { ok: boolean; entry: unknown };
    // It has no ML-DSA, and says so: what it took is open, not good.
    expect(answer).toMatchObject({ ok: true, open: true, entry: tree.entries(7, 1)[0]?.entry });
    expect(JSON.stringify(answer)).toContain('not checked: the ML-DSA-44 signatures');
    const lines = receipt.split('\n');
    const changed = [
      receipt.replace('index 7', 'index 6'),
      receipt.replace(`${lines[3]}\n`, ''),
      receipt.replace(/\n(\d+)\n/, '\n1\n'),
      receipt.replace(/— witness.*\n/, ''),
      receipt
        .split('\n')
        .toSpliced(receipt.split('\n').findIndex((line) => line.startsWith('— ')) + 1, 1)
        .join('\n'),
      receipt.replace('extra ', 'extra A'),
      '',
    ];
    for (const one of changed) {
      writeFileSync(files.proof, one);
      expect(spawnSync('python3', words, { encoding: 'utf8' }).status, one.slice(0, 40)).toBe(1);
    }
  });
});
