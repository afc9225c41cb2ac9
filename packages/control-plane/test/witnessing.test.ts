import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  checkCosignature,
  createWitnessKey,
  openCosigner,
  parseCosignatureKey,
  parseWitnessPolicy,
  splitNote,
  verifyReceiptThrough,
  Witness,
} from '@cordon/ledger';
import { systemClock } from '@cordon/protocol';
import { describe, expect, test } from 'vitest';
import { until } from '../../../test/support/until.ts';
import { Harness } from './harness.ts';

const key = createWitnessKey('w.test/1');
const verifier = parseCosignatureKey(key.verifierKey);

function openWitness(harness: Harness): Witness {
  const cosigner = openCosigner('w.test/1', key.privatePem);
  const logs = [harness.publicKey];
  return new Witness({ directory: path.join(harness.folder, 'witness'), cosigner, logs, clock: systemClock });
}

function believe(harness: Harness): void {
  writeFileSync(
    path.join(harness.home, 'witnesses'),
    `witness w1 ${key.verifierKey} http://witness.invalid/\nquorum w1\n`,
  );
}

/** Whether the checkpoint of a proof carries the witness's signature. */
async function provedUnderCosigned(harness: Harness): Promise<boolean> {
  const { json } = await harness.get('/v1/ledger/proof?index=0');
  const { text, lines } = splitNote(json.checkpoint);
  return checkCosignature(text, lines, verifier) !== null;
}

describe('witnesses', () => {
  test('nobody is asked without a file; with one, a proof stands under a head that they cosigned', async () => {
    await using harness = await Harness.start();
    const urls: string[] = [];
    using witness = openWitness(harness);
    harness.askWitness = async (url, body) => {
      urls.push(url);
      return witness.addCheckpoint(body);
    };
    expect(await provedUnderCosigned(harness)).toBe(false);
    expect(urls).toEqual([]);
    believe(harness);
    expect(await provedUnderCosigned(harness)).toBe(true);
    // It is shown both heads, and follows the one whose key it was given.
    expect(urls).toEqual(Array(2).fill('http://witness.invalid/add-checkpoint'));
    expect(JSON.stringify((await harness.get('/v1/status')).json.warnings)).not.toContain('witness');
    // The next process remembers no size; the witness tells it.
    await harness.close();
    await harness.open();
    expect(await provedUnderCosigned(harness)).toBe(true);
    const { json } = await harness.get('/v1/ledger/entries?limit=500');
    const witnessed = json.entries.filter(({ entry }: { entry: { type: string } }) => entry.type === 'witness');
    expect(witnessed[0].entry.data).toMatchObject({ names: ['w1'], refused: [], quorum: true });
  });

  test('one that follows the infrastructure alone has seen the heads that it logs', async () => {
    await using harness = await Harness.start();
    const cosigner = openCosigner('w.test/1', key.privatePem);
    const directory = path.join(harness.folder, 'witness');
    using witness = new Witness({ directory, cosigner, logs: [harness.hostKey], clock: systemClock });
    believe(harness);
    harness.askWitness = async (_, body) => witness.addCheckpoint(body);
    const { json } = await harness.get('/v1/ledger/proof?index=0&through=infrastructure');
    const policy = parseWitnessPolicy(`witness w1 ${key.verifierKey}\nquorum w1\n`);
    const keys = { log: harness.publicKey, infrastructure: harness.hostKey };
    const verdict = verifyReceiptThrough({ entry: json.receipt, head: json.head }, keys, policy);
    expect(verdict).toMatchObject({ ok: true, index: 0, witnessed: true });
    expect(witness.latest('local.test/ledger')).toBe(null);
    expect(JSON.stringify((await harness.get('/v1/status')).json.warnings)).not.toContain('witness');
    // One that knows neither is of no use, and somebody should hear it.
    harness.askWitness = async () => ({ status: 404, type: 'text/plain', body: 'this log is not witnessed here\n' });
    expect((await harness.get('/v1/ledger/proof?index=999&through=infrastructure')).status).toBe(404);
    await harness.get('/v1/ledger/proof?index=0');
    expect(JSON.stringify((await harness.get('/v1/status')).json.warnings)).toContain('follows none of the logs');
  });

  test('a kill is shown to them at once', async () => {
    await using harness = await Harness.start();
    using witness = openWitness(harness);
    believe(harness);
    harness.askWitness = async (_, body) => witness.addCheckpoint(body);
    expect((await harness.post('/v1/stops', { scope: { agent: 'x' }, strength: 'kill', reason: 'test' })).status).toBe(
      201,
    );
    await until(() => witness.latest('local.test/ledger') !== null, 'the witness to see the kill', 20_000);
  });

  test('one that is silent, lies, or has seen another history is a warning and no cosignature', async () => {
    await using harness = await Harness.start();
    believe(harness);
    const warnings = async (): Promise<string> => JSON.stringify((await harness.get('/v1/status')).json.warnings);
    expect(await provedUnderCosigned(harness)).toBe(false);
    expect(await warnings()).toContain('witness w1: does not answer');
    harness.askWitness = async () => ({ status: 200, type: 'text/plain', body: '— w.test/1 AAAA\n' });
    expect(await provedUnderCosigned(harness)).toBe(false);
    expect(await warnings()).toContain('no signature of its key');
    harness.askWitness = async () => ({ status: 409, type: 'text/x.tlog.size', body: '999999\n' });
    expect(await provedUnderCosigned(harness)).toBe(false);
    expect(await warnings()).toContain('another history');
    writeFileSync(path.join(harness.home, 'witnesses'), 'nonsense\n');
    expect(await provedUnderCosigned(harness)).toBe(false);
    expect(await warnings()).toContain('line 1 of the witness policy');
    rmSync(path.join(harness.home, 'witnesses'));
    expect(await provedUnderCosigned(harness)).toBe(false);
    expect(await warnings()).not.toContain('witness');
  });
});
