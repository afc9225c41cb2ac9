import { CordonError } from '@cordon/protocol';
import { HttpSink } from '@cordon/testkit';
import { expect, it } from 'vitest';
import { RawClient } from './client.ts';
import { Rig } from './rig.ts';

const host = 'api.example.com';

it('denies, and says that it is the ledger, while what a session has seen cannot be recorded', async () => {
  await using sink = await HttpSink.start();
  let down = true;
  await using rig = await Rig.start({
    grants: [{ allow: `http://${host}` }],
    hosts: { [`${host}:80`]: sink.port },
    journal: (journal) =>
      new Proxy(journal, {
        get: (target, name) => {
          const value: unknown = Reflect.get(target, name, target);
          if (name !== 'append') return typeof value === 'function' ? value.bind(target) : value;
          return (draft: Parameters<typeof journal.append>[0], tier: 'os' | 'disk') =>
            down && draft.type === 'label'
              ? Promise.reject(new CordonError('ledger-down', 'the disk is read-only'))
              : target.append(draft, tier);
        },
      }),
  });
  const ask = async () => {
    using client = await RawClient.to(rig.ports.http);
    return await client.ask(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  };
  expect(await ask()).toMatchObject({ status: 503, json: { code: 'ledger-unavailable' } });
  expect(sink.requests).toEqual([]);
  down = false;
  expect((await ask()).status).toBe(200);
});
