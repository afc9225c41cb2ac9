import { systemClock } from '@cordon/protocol';
import { createSigningKey } from '@cordon/protocol/dsse';
import { describe, expect, test } from 'vitest';
import { People } from '../src/people/people.ts';
import { Harness } from './harness.ts';

describe('people', () => {
  test('the owner of the daemon is known from the first start, by the same key at the next', async () => {
    await using harness = await Harness.start();
    const { json: me } = await harness.get('/v1/whoami');
    expect(me.person).toEqual({ iss: expect.stringMatching(/^local:[0-9a-f]{16}$/), sub: 'ada' });
    expect(me.keys).toEqual([harness.operatorKey.pinned]);
    await harness.close();
    await harness.open();
    expect((await harness.get('/v1/whoami')).json).toEqual(me);
    expect((await harness.get('/v1/people')).json.people).toHaveLength(1);
  });

  test('others are added by their public keys; a key is one person’s; the ledger has every change', async () => {
    await using harness = await Harness.start();
    const [bob, more] = [createSigningKey().pinned, createSigningKey().pinned];
    const add = (name: string, publicKey: string) => harness.post('/v1/people', { name, publicKey });
    expect((await add('bob', bob.publicKey)).status).toBe(201);
    expect((await add('bob', more.publicKey)).json.keys).toEqual([bob, more]);
    for (const [name, key, status, code] of [
      ['eve', bob.publicKey, 409, 'key-known'],
      ['eve', 'AAAA', 400, 'request-invalid'],
      ['Eve', more.publicKey, 400, 'request-invalid'],
      ['../eve', more.publicKey, 400, 'request-invalid'],
    ] as const) {
      const reply = await add(name, key);
      expect([reply.status, reply.json.code], name).toEqual([status, code]);
    }
    for (let keys = 2; keys < 4; keys++)
      expect((await add('bob', createSigningKey().pinned.publicKey)).status).toBe(201);
    expect((await add('bob', createSigningKey().pinned.publicKey)).json.code).toBe('people-full');
    expect((await harness.send('DELETE', '/v1/people/ada')).json.code).toBe('person-operator');
    expect((await harness.send('DELETE', '/v1/people/eve')).json.code).toBe('person-unknown');
    expect((await harness.send('DELETE', '/v1/people/bob')).status).toBe(200);
    expect((await harness.get('/v1/people')).json.people).toHaveLength(1);
    const entries = await harness.entries('admin');
    const acts = entries.filter(({ act }) => String(act).startsWith('people.'));
    expect(acts.map(({ act }) => act)).toEqual([...Array(5).fill('people.add'), 'people.remove']);
    expect(acts[1]).toMatchObject({ by: 'ada', person: { sub: 'bob' }, key: bob });
  });

  test('a list that was changed by hand does not open', async () => {
    await using harness = await Harness.start();
    const kept = harness.people ?? '';
    const [person = ''] = /\{\s*"sub"[\s\S]*\}(?=\s*\]\s*\}\s*$)/.exec(kept) ?? [];
    expect(person).toContain('ada');
    const spoilt = ['', '{', kept.replace('ada', 'A D A'), kept.replace('"people":', '"more":1,"people":')];
    for (const text of [...spoilt, kept.replace(person, `${person},${person}`)]) {
      const file = { read: async () => text, write: () => Promise.reject(new TypeError('written')) };
      const operator = { name: 'ada', key: harness.operatorKey.pinned };
      const recorder = undefined as never;
      const opened = People.open({ file, operator, recorder, issuer: () => '', clock: systemClock });
      await expect(opened, text).rejects.toMatchObject({ code: 'people-damaged' });
    }
  });
});
