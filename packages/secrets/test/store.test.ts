import { systemClock, systemRandom } from '@cordon/protocol';
import { describe, expect, test } from 'vitest';
import { fileKeySource, Secret, type SecretFile, SecretStore } from '../src/index.ts';
import { seal, unseal } from '../src/seal.ts';

/** A file in memory that can refuse to be written. */
class MemoryFile implements SecretFile {
  bytes: Uint8Array | null = null;
  writes = 0;
  full = false;

  read(): Promise<Uint8Array | null> {
    return Promise.resolve(this.bytes === null ? null : Uint8Array.from(this.bytes));
  }
  write(bytes: Uint8Array): Promise<void> {
    if (this.full) return Promise.reject(new Error('no space left'));
    this.bytes = Uint8Array.from(bytes);
    this.writes += 1;
    return Promise.resolve();
  }
  get text(): string {
    return Buffer.from(this.bytes ?? []).toString();
  }
}

class Deployment {
  readonly file = new MemoryFile();
  readonly key = new MemoryFile();

  open(tenant = 'local'): Promise<SecretStore> {
    const keys = fileKeySource(this.key, systemRandom);
    return SecretStore.open({ tenant, file: this.file, keys, clock: systemClock, random: systemRandom });
  }
}

const leased = async (store: SecretStore, name: string): Promise<string | null> =>
  (await store.lease(name))?.value.reveal((bytes) => bytes.toString()) ?? null;

describe('SecretStore', () => {
  test('keeps values over a restart, with versions and last use, and never in the clear', async () => {
    const deployment = new Deployment();
    const store = await deployment.open();
    expect(await store.set('github', Secret.from('ghp_first_value'))).toMatchObject({ version: 1, lastUsedAt: null });
    expect(await store.set('npm', Secret.from('npm_other_value'))).toMatchObject({ version: 2 });
    expect(await store.set('github', Secret.from('ghp_second_value'))).toMatchObject({ version: 3 });
    expect(deployment.file.text).not.toMatch(/first_value|second_value|other_value/);
    expect(JSON.stringify(store)).not.toContain('value');

    const again = await deployment.open();
    expect(again.list().map((info) => [info.name, info.version, info.lastUsedAt])).toEqual([
      ['github', 3, null],
      ['npm', 2, null],
    ]);
    expect(await leased(again, 'github')).toBe('ghp_second_value');
    expect(again.get('github')?.lastUsedAt).not.toBeNull();
    expect((await deployment.open()).get('github')?.lastUsedAt).not.toBeNull();
    expect(again.get('npm')?.lastUsedAt).toBeNull();
  });

  test('a removed secret is gone, and its name does not start over with an old version', async () => {
    const deployment = new Deployment();
    const store = await deployment.open();
    await store.set('github', Secret.from('ghp_first_value'));
    expect(await store.remove('github')).toBe(true);
    expect(await store.remove('github')).toBe(false);
    expect(await leased(store, 'github')).toBeNull();
    expect(await (await deployment.open()).set('github', Secret.from('ghp_second_value'))).toMatchObject({
      version: 2,
    });
  });

  test('changes are made one after another', async () => {
    const deployment = new Deployment();
    const store = await deployment.open();
    await Promise.all(Array.from({ length: 30 }, (_, i) => store.set(`s${i}`, Secret.from(`value number ${i}`))));
    const again = await deployment.open();
    expect(again.list()).toHaveLength(30);
    for (let i = 0; i < 30; i++) expect(await leased(again, `s${i}`)).toBe(`value number ${i}`);
  });

  test('a change that did not reach the file did not happen', async () => {
    const deployment = new Deployment();
    const store = await deployment.open();
    await store.set('github', Secret.from('ghp_first_value'));
    deployment.file.full = true;
    await expect(store.set('github', Secret.from('ghp_second_value'))).rejects.toThrow('no space left');
    await expect(store.remove('github')).rejects.toThrow('no space left');
    await expect(store.lease('github')).rejects.toThrow('no space left');
    expect(store.get('github')).toMatchObject({ version: 1, lastUsedAt: null });
    deployment.file.full = false;
    expect(await leased(store, 'github')).toBe('ghp_first_value');
  });

  test.each<[string, string, string]>([
    ['Bad', 'long enough', 'secret-name-invalid'],
    ['../x', 'long enough', 'secret-name-invalid'],
    ['ok', 'short', 'secret-too-short'],
    ['ok', 'x'.repeat(64 * 1024 + 1), 'secret-too-long'],
    ['ok', 'a line\r\nX: y', 'secret-value-invalid'],
    ['ok', 'a line end\n', 'secret-value-invalid'],
    ['ok', ' leading space', 'secret-value-invalid'],
    ['ok', 'trailing space ', 'secret-value-invalid'],
    ['ok', 'a\0bcdefgh', 'secret-value-invalid'],
    ['ok', 'caf\xe9caf\xe9', 'secret-value-invalid'],
  ])('%s = %j is refused with %s', async (name, value, code) => {
    const store = await new Deployment().open();
    await expect(store.set(name, Secret.from(value))).rejects.toMatchObject({ code });
    expect(store.list()).toEqual([]);
  });
});

describe('at rest', () => {
  const filled = async (): Promise<Deployment> => {
    const deployment = new Deployment();
    const store = await deployment.open();
    await store.set('a', Secret.from('value of a, long'));
    await store.set('b', Secret.from('value of b, long'));
    return deployment;
  };

  test('another key, a lost key, or a key of another length does not open it', async () => {
    const deployment = await filled();
    deployment.key.bytes = null;
    await expect(deployment.open()).rejects.toMatchObject({ code: 'store-unsealable' });
    deployment.key.bytes = systemRandom.bytes(32);
    await expect(deployment.open()).rejects.toMatchObject({ code: 'store-unsealable' });
    deployment.key.bytes = systemRandom.bytes(31);
    await expect(deployment.open()).rejects.toMatchObject({ code: 'store-malformed' });
  });

  test('a box in the place of another, of another version or tenant does not open', async () => {
    const swap = async (
      change: (content: { tenant: string; secrets: Array<Record<string, unknown>> }) => void,
    ): Promise<SecretStore> => {
      const deployment = await filled();
      const content = JSON.parse(deployment.file.text) as { tenant: string; secrets: Array<Record<string, unknown>> };
      change(content);
      deployment.file.bytes = Buffer.from(JSON.stringify(content));
      return deployment.open(content.tenant);
    };
    const swapped = await swap(({ secrets }) => {
      const [a, b] = secrets;
      if (a && b) [a['box'], a['nonce'], b['box'], b['nonce']] = [b['box'], b['nonce'], a['box'], a['nonce']];
    });
    await expect(swapped.lease('a')).rejects.toMatchObject({ code: 'store-unsealable' });
    const renamed = await swap(({ secrets }) => Object.assign(secrets[0] ?? {}, { name: 'c' }));
    await expect(renamed.lease('c')).rejects.toMatchObject({ code: 'store-unsealable' });
    const aged = await swap(({ secrets }) => Object.assign(secrets[0] ?? {}, { version: 7 }));
    await expect(aged.lease('a')).rejects.toMatchObject({ code: 'store-unsealable' });
    await expect(swap((content) => Object.assign(content, { tenant: 'other' }))).rejects.toMatchObject({
      code: 'store-unsealable',
    });
  });

  test('another tenant, an unknown version, and rubbish are refused', async () => {
    const deployment = await filled();
    await expect(deployment.open('other')).rejects.toMatchObject({ code: 'store-malformed' });
    const good = deployment.file.text;
    for (const text of [
      '',
      '{',
      'null',
      '[]',
      '{"v":2}',
      good.replace('"v": 1', '"v": 2'),
      good.replace('"box"', '"bux"'),
      good.replace('"version": 1', '"version": "1"'),
    ]) {
      deployment.file.bytes = Buffer.from(text);
      await expect(deployment.open(), text.slice(0, 20)).rejects.toMatchObject({ code: 'store-malformed' });
    }
  });

  test('every changed byte of a box is noticed', () => {
    const key = Secret.from(systemRandom.bytes(32));
    const sealed = seal(Secret.from('12345678'), key, 'here', systemRandom);
    expect(unseal(sealed, key, 'here').reveal((bytes) => bytes.toString())).toBe('12345678');
    expect(() => unseal(sealed, key, 'there')).toThrow(expect.objectContaining({ code: 'store-unsealable' }));
    const box = Buffer.from(sealed.box, 'base64');
    for (let i = 0; i < box.length; i++) {
      const changed = Buffer.from(box);
      changed[i] = (changed[i] ?? 0) ^ 1;
      expect(() => unseal({ ...sealed, box: changed.toString('base64') }, key, 'here')).toThrow(
        expect.objectContaining({ code: 'store-unsealable' }),
      );
    }
    for (const broken of [
      { ...sealed, box: '' },
      { ...sealed, nonce: 'AAAA' },
      { ...sealed, box: box.subarray(0, 15).toString('base64') },
    ]) {
      expect(() => unseal(broken, key, 'here')).toThrow(expect.objectContaining({ code: 'store-unsealable' }));
    }
  });

  test('two boxes of one value are not alike', () => {
    const key = Secret.from(systemRandom.bytes(32));
    const value = Secret.from('12345678');
    expect(seal(value, key, 'x', systemRandom).box).not.toBe(seal(value, key, 'x', systemRandom).box);
  });
});
