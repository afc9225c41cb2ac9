import { format, inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { Secret } from '../src/index.ts';

const value = 'sk-live-0123456789';

describe('Secret', () => {
  test('prints as [redacted] wherever it is printed', () => {
    const secret = Secret.from(value);
    const prints = [
      String(secret),
      `${secret}`,
      JSON.stringify({ secret }),
      inspect(secret),
      inspect({ deep: [secret] }, { depth: 9, showHidden: true }),
      format('%s %o %j', secret, secret, secret),
      Object.entries(secret).join(),
      String(new Error('x', { cause: secret }).cause),
    ];
    for (const text of prints) expect(text).not.toContain('0123');
    expect(prints[0]).toBe('[redacted]');
    expect(Object.keys(secret)).toEqual([]);
  });

  test('owns its buffer, wipes it on dispose, and gives nothing afterwards', () => {
    const given = Buffer.from(value);
    const secret = Secret.from(given);
    given.fill(0);
    let held: Buffer | null = null;
    expect(
      secret.reveal((bytes) => {
        held = bytes;
        return bytes.toString();
      }),
    ).toBe(value);
    expect(secret.bytes).toBe(value.length);
    const copy = secret.copy();
    secret[Symbol.dispose]();
    expect(held).toEqual(Buffer.alloc(value.length));
    expect(secret.disposed).toBe(true);
    expect(secret.bytes).toBe(0);
    expect(() => secret.reveal((bytes) => bytes)).toThrow(expect.objectContaining({ code: 'secret-disposed' }));
    expect(() => secret.copy()).toThrow(expect.objectContaining({ code: 'secret-disposed' }));
    expect(copy.reveal((bytes) => bytes.toString())).toBe(value);
  });

  test('is not in the shared pool', () => {
    expect(Secret.from('12345678').reveal((bytes) => bytes.buffer.byteLength)).toBe(8);
  });
});
