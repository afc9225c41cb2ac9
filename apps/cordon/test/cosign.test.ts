import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { bundleType, isCordonError } from '@cordon/protocol';
import { createSigningKey, openEnvelope, openSigningKey, signEnvelope } from '@cordon/protocol/dsse';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Command, parseArguments } from '../src/command.ts';
import { commands } from '../src/commands/index.ts';
import { exitStatusOf } from '../src/exit.ts';
import type { Context } from '../src/surroundings.ts';

const manifest = Buffer.from('{"generation":2}');
const [alice, bob] = [createSigningKey(), createSigningKey()];
const sign = commands.find(({ name }) => name === 'policy sign') as Command;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'cosign-'));
  writeFileSync(path.join(folder, 'my.tar'), 'the bundle');
  writeFileSync(path.join(folder, 'bob.pem'), bob.privatePem);
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A daemon that has looked at the bundle, and a command line in `folder`. */
function context(): Context {
  const pack = { bundle: Buffer.from('the bundle').toString('base64'), manifest: manifest.toString('base64') };
  const policies = { inspect: () => Promise.resolve({ ...pack, address: 'sha256:0', generation: 2, signatures: 2 }) };
  const at = { cwd: folder, stdout: { write: () => true }, stderr: { isTTY: false } };
  return { at, cordon: () => Promise.resolve({ policies }) } as unknown as Context;
}

const signAs = (key: string): Promise<number> =>
  sign.run(context(), parseArguments(sign, [path.join(folder, 'my.tar'), '--key', path.join(folder, key)]));

describe('signing a bundle that others have signed', () => {
  const beside = (): string => path.join(folder, 'my.tar.dsse');

  it('adds a signature to theirs', async () => {
    const theirs = signEnvelope(bundleType, manifest, [openSigningKey(alice.privatePem)]);
    writeFileSync(beside(), JSON.stringify(theirs));
    await signAs('bob.pem');
    const envelope: unknown = JSON.parse(readFileSync(beside(), 'utf8'));
    const opened = openEnvelope(envelope, bundleType, [alice.pinned, bob.pinned]);
    expect(opened).toMatchObject({ ok: true, signers: [alice.pinned.id, bob.pinned.id].sort() });
  });

  it('begins anew only where no file is', async () => {
    await signAs('bob.pem');
    expect(openEnvelope(JSON.parse(readFileSync(beside(), 'utf8')), bundleType, [bob.pinned]).ok).toBe(true);
  });

  it.each([
    ['half of it', '{"payloadType":"application/vnd'],
    ['nothing in it', ''],
    ['another thing', '{"payload":"e30=","payloadType":"x"}'],
    ['no signature', '{"payload":"e30=","payloadType":"x","signatures":[]}'],
  ])('writes nothing over a file with %s, and names it', async (_name, text) => {
    writeFileSync(beside(), text);
    const failed: unknown = await signAs('bob.pem').catch((error: unknown) => error);
    expect(isCordonError(failed) && failed.message).toContain(`${beside()} is damaged`);
    expect(isCordonError(failed) && failed.nextSteps.join()).toContain('whoever signed before you');
    expect(exitStatusOf(failed)).toBe(78);
    expect(readFileSync(beside(), 'utf8')).toBe(text);
  });

  it('writes nothing over signatures of another bundle', async () => {
    const other = signEnvelope(bundleType, '{"generation":1}', [openSigningKey(alice.privatePem)]);
    writeFileSync(beside(), JSON.stringify(other));
    await expect(signAs('bob.pem')).rejects.toThrow('of another one');
    expect(JSON.parse(readFileSync(beside(), 'utf8'))).toEqual(other);
  });
});
