import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import type { Cordon } from '@cordon/sdk';
import type { Command } from '../command.ts';
import { exportProgram, verifyProgram, witnessProgram } from '../daemon.ts';
import { exitStatus, usageError } from '../exit.ts';
import { jsonLine } from '../json.ts';
import { parseCount } from '../quantity.ts';
import { findSession } from '../reference.ts';
import { visible } from '../text.ts';

export const verify: Command = {
  name: 'ledger verify',
  group: 'Ledger',
  usage: 'cordon ledger verify [--key FILE] [--only PARTS | --proof FILE]',
  summary: 'check the whole record offline: nothing changed, nothing dropped, nothing done undecided',
  words: [0, 0],
  options: {
    proof: { value: 'FILE', about: 'check one proof instead, as cordon ledger prove printed it; needs --key' },
    key: { value: 'FILE', about: 'public key that you trust; default: the one of this state folder' },
    witnesses: {
      value: 'FILE',
      about: 'whose cosignatures you believe (C2SP tlog-policy); default: of this state folder',
    },
    only: {
      value: 'PARTS',
      about:
        'entries, complete, tree, heads, witnesses, approvals, labels, counters, kill, decisions; with commas between',
    },
    head: { value: 'FILE', about: 'with --proof: the proof of the head that it stands under' },
    'infrastructure-key': { value: 'FILE', about: "public key of the infrastructure's ledger, as you keep it" },
    every: { about: 'ask the policy engine about each decision, also where no policy can tell two apart' },
    strict: { about: 'exit status 1 also when something could not be looked at' },
    json: { about: 'the report as JSON' },
  },
  details: [
    'Needs no daemon and asks none: it reads files and trusts the public key alone. Exit status 1 when something is wrong.',
  ],
  run: async ({ at }, args) => {
    const key = args.text('key');
    const proof = args.text('proof');
    if (proof !== undefined && key === undefined)
      throw usageError('a proof is checked with a key that you trust: --key FILE');
    const given = (['only', 'witnesses', 'head', 'infrastructure-key'] as const).flatMap((name) => {
      const value = args.text(name);
      return value === undefined ? [] : [`--${name}`, value];
    });
    return await runProgram(verifyProgram, [
      ...(proof === undefined ? ['--home', at.home] : ['--proof', proof]),
      ...(key === undefined ? [] : ['--key', key]),
      ...given,
      ...(['every', 'strict', 'json'] as const).flatMap((name) => (args.flag(name) ? [`--${name}`] : [])),
    ]);
  },
};

export const show: Command = {
  name: 'ledger show',
  group: 'Ledger',
  usage: 'cordon ledger show [ID] [--from INDEX] [--limit N]',
  summary: 'entries of the record, oldest first; with ID those about a session, an attempt or a question',
  words: [0, 1],
  options: {
    from: { value: 'INDEX', about: 'first entry; default 0' },
    limit: { value: 'N', about: 'how many; default 100' },
    json: { about: 'one JSON object per entry' },
  },
  details: ['Examples:', '  cordon ledger show 7k2m9x0q', '  cordon ledger show att_…', '  cordon ledger show hld_…'],
  run: async ({ at, cordon }, args) => {
    const client = await cordon();
    const about = args.words[0] === undefined ? undefined : await idOf(client, args.words[0]);
    let from = parseCount('from', args.text('from') ?? '0');
    let left = parseCount('limit', args.text('limit') ?? '100');
    while (left > 0) {
      const page = await client.ledger(from, Math.min(left, 500), about);
      for (const { index, leaf, entry } of page.entries) {
        if (args.flag('json')) at.stdout.write(jsonLine({ index, leaf, entry }));
        else
          at.stdout.write(
            `${String(index).padStart(6)} ${visible(`${entry['at']} ${String(entry['type']).padEnd(13)} ${entry['session'] ?? entry['writer']} ${JSON.stringify(entry['data'])}`)}\n`,
          );
      }
      left -= page.entries.length;
      if (page.next === null) break;
      from = page.next;
    }
    return exitStatus.ok;
  },
};

/** A whole id of anything that entries name; else the end of a session's. */
async function idOf(client: Cordon, word: string): Promise<string> {
  return /^[a-z]{3}_[0-9a-z]{26}$/.test(word) ? word : (await findSession(client, word)).session.id;
}

export const exported: Command = {
  name: 'ledger export',
  group: 'Ledger',
  usage: 'cordon ledger export --format ocsf|otel [--from INDEX]',
  summary: 'the record for other systems: OCSF 1.5.0 events, or OpenTelemetry spans; one JSON object a line',
  words: [0, 0],
  options: {
    format: { value: 'NAME', about: 'ocsf, or otel' },
    from: { value: 'INDEX', about: 'first entry; default 0' },
  },
  details: [
    'Each line says index and leaf hash of its entry: the line is a copy for searching, the ledger stays the record.',
    'Reads files, needs no daemon, and opens nothing of what is sealed.',
  ],
  run: async ({ at }, args) => {
    const from = args.text('from');
    const words = ['--home', at.home, '--format', args.text('format') ?? ''];
    return await runProgram(exportProgram, [...words, ...(from === undefined ? [] : ['--from', from])]);
  },
};

export const witness: Command = {
  name: 'ledger witness',
  group: 'Ledger',
  usage: 'cordon ledger witness --state DIR --log FILE [--port N]',
  summary: 'be a witness of a ledger: sign its heads as long as each contains the one before (C2SP tlog-witness)',
  words: [0, 0],
  options: {
    state: { value: 'DIR', about: "the witness's own key and the newest head it saw; made when it is not there" },
    log: {
      value: 'FILE',
      about: 'public key of the ledger, as CORDON_HOME/keys/ledger.vkey or infrastructure.vkey holds it',
    },
    name: { value: 'NAME', about: 'its name when its key is made' },
    port: { value: 'N', about: 'port on 127.0.0.1; default: one that is free' },
    request: { value: 'FILE', about: 'answer one request from a file instead of serving' },
  },
  details: [
    'Runs until it is ended, best as somebody whom the owner of the ledger does not command. It prints the line that goes into',
    'the file "witnesses" of the state folder of the ledger; a line "quorum NAME" goes below it.',
  ],
  run: async (_, args) => {
    const given = (['state', 'log', 'name', 'port', 'request'] as const).flatMap((name) => {
      const value = args.text(name);
      return value === undefined ? [] : [`--${name}`, value];
    });
    return await runProgram(witnessProgram, given);
  },
};

/** Ends with it, and with its exit status. */
async function runProgram(program: string, words: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [program, ...words], {
    // The channel ends with us, however we end, and the program with it.
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: {},
  });
  const pass = (signal: NodeJS.Signals) => void child.kill(signal);
  process.on('SIGINT', pass).on('SIGTERM', pass);
  return await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve(status ?? exitStatus.internal));
  });
}

export const shred: Command = {
  name: 'ledger shred',
  group: 'Ledger',
  usage: 'cordon ledger shred SESSION',
  summary: 'make what was kept of an ended session unreadable for ever; the record itself stays whole',
  words: [1, 1],
  options: { json: { about: 'as JSON' } },
  details: [
    'Destroys the key of the session: requests, arguments, facts and the salt of their hashes. What stays readable is what',
    'entries say in clear. Backups of keys must be shredded where they lie; backups of the ledger need not be.',
  ],
  run: async ({ at, cordon }, args) => {
    const client = await cordon();
    const { session } = await findSession(client, args.words[0] ?? '');
    const done = await client.shred(session.id);
    at.stdout.write(
      args.flag('json') ? jsonLine(done) : `shredded ${done.session}: nobody reads what was kept of it any more\n`,
    );
    return exitStatus.ok;
  },
};

export const prove: Command = {
  name: 'ledger prove',
  group: 'Ledger',
  usage: 'cordon ledger prove ATTEMPT | --index N',
  summary: 'a proof that one entry is in the record, for somebody who trusts only the public key',
  words: [0, 1],
  options: {
    index: { value: 'N', about: 'the entry at this index' },
    head: { value: 'FILE', about: 'for witnesses of the infrastructure alone: writes the proof of the head there' },
    json: { about: 'entry, path, checkpoint and key as JSON instead' },
  },
  details: [
    'Prints a proof (C2SP tlog-proof): the entry, its path in the tree (RFC 6962), the signed checkpoint with the cosignatures',
    'of witnesses. Whoever has the public key checks it offline:',
    '  cordon ledger prove ATTEMPT > done.tlog-proof',
    '  cordon ledger verify --proof done.tlog-proof --key ledger.vkey',
    'Witnesses that follow keys/infrastructure.vkey alone have seen a head of this ledger as an entry of that one: two proofs,',
    '  cordon ledger prove ATTEMPT --head head.tlog-proof > done.tlog-proof',
    '  cordon ledger verify --proof done.tlog-proof --key ledger.vkey --head head.tlog-proof --infrastructure-key FILE',
  ],
  run: async ({ at, cordon }, args) => {
    const attempt = args.words[0];
    const index = args.text('index');
    if ((attempt === undefined) === (index === undefined)) throw usageError('say which entry: ATTEMPT or --index N');
    const client = await cordon();
    const of = attempt === undefined ? { index: parseCount('index', index ?? '') } : { attempt };
    const head = args.text('head');
    const proof = await client.prove(of, head === undefined ? undefined : 'infrastructure');
    if (head !== undefined) writeFileSync(head, proof.head ?? '');
    at.stdout.write(args.flag('json') ? jsonLine(proof) : proof.receipt);
    return exitStatus.ok;
  },
};
