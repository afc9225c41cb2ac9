import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  checkCosignature,
  createWitnessKey,
  openCosigner,
  parseCosignatureKey,
  splitNote,
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
    expect(urls).toEqual(['http://witness.invalid/add-checkpoint']);
    // The next process remembers no size; the witness tells it.
    await harness.close();
    await harness.open();
    expect(await provedUnderCosigned(harness)).toBe(true);
    const { json } = await harness.get('/v1/ledger/entries?limit=500');
    const witnessed = json.entries.filter(({ entry }: { entry: { type: string } }) => entry.type === 'witness');
    expect(witnessed[0].entry.data).toMatchObject({ names: ['w1'], refused: [], quorum: true });
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
