import { HttpSink } from '@cordon/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, connectThrough, RawClient } from './client.ts';
import { Rig, session, upstreamCa } from './rig.ts';

let sink: HttpSink;
let rig: Rig;

beforeAll(async () => {
  sink = await HttpSink.start({ tls: upstreamCa.issue(['cordon.internal', 'api.example.com']) });
  rig = await Rig.start({
    grants: [{ allow: 'cordon.internal' }, { allow: 'api.example.com/only' }],
    hosts: { 'cordon.internal:443': sink.port, 'cordon.internal:80': sink.port, 'api.example.com:443': sink.port },
  });
});

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  await sink[Symbol.asyncDispose]();
});

async function page(path: string, method = 'GET'): Promise<Answer> {
  using client = await RawClient.to(rig.ports.http);
  const length = method === 'POST' ? 'Content-Length: 0\r\n' : '';
  return await client.ask(`${method} ${path} HTTP/1.1\r\nHost: cordon.internal\r\n${length}\r\n`);
}

describe('cordon.internal', () => {
  it('says who the agent is and what is in force, on every way in', async () => {
    expect((await page('/')).json).toMatchObject({ session, agent: 'tester', policy: { generation: 1, revision: 1 } });
    const policy = await page('/policy');
    expect(policy.body).toContain('api.example.com');
    expect((policy.json['layers'] as unknown[]).length).toBe(3);
    using proxy = await RawClient.to(rig.ports.proxy);
    expect((await proxy.ask('GET http://cordon.internal/ HTTP/1.1\r\nHost: cordon.internal\r\n\r\n')).status).toBe(200);
    using tls = await connectThrough(rig.ports.proxy, { target: 'cordon.internal:443', ca: rig.ca.certificate });
    expect((await tls.ask('GET /denials?x HTTP/1.1\r\nHost: cordon.internal\r\n\r\n')).json).toHaveProperty('denials');
  });

  it('shows recent denials with their next steps, without acting on hostile bytes', async () => {
    using client = await connectThrough(rig.ports.proxy, { target: 'api.example.com:443', ca: rig.ca.certificate });
    const denied = await client.ask('GET /%e2%80%ae[31m HTTP/1.1\r\nHost: api.example.com\r\n\r\n');
    expect(denied.status).toBe(403);
    expect(denied.headers.get('content-type')).toBe('application/problem+json');
    expect(denied.headers.get('cordon-code')).toBe('no-grant');
    const steps = denied.json['next_steps'] as string[];
    expect(steps.join('\n')).toContain('--allow');
    expect(steps.join('\n')).toContain(`cordon policy explain ${String(denied.json['attempt'])}`);
    const { denials } = (await page('/denials')).json as { denials: Array<Record<string, unknown>> };
    expect(denials[0]).toMatchObject({
      code: 'no-grant',
      attempt: denied.json['attempt'],
      intent: denied.json['intent'],
    });
    expect(JSON.stringify(denials)).toMatch(/^[\x20-\x7e…]*$/);
  });

  it('sends nobody to grant what is never dialled', async () => {
    using client = await RawClient.to(rig.ports.proxy);
    const steps = async (origin: string): Promise<string> => {
      const answer = await client.ask(`GET ${origin}/latest/ HTTP/1.1\r\nHost: ${new URL(origin).host}\r\n\r\n`);
      expect([answer.status, answer.json['code']]).toEqual([403, 'no-grant']);
      return (answer.json['next_steps'] as string[]).join('\n');
    };
    for (const never of ['http://169.254.169.254', 'http://[fd00:ec2::254]', 'http://metadata.google.internal']) {
      expect(await steps(never)).toMatch(/^no grant reaches it: /);
      expect(await steps(never)).not.toContain('--allow');
    }
    expect(await steps('http://10.1.2.3')).toMatch(/^a private address needs a grant that names it(?!.*--allow)/s);
    expect(await steps('http://127.0.0.1:9000')).toMatch(/--allow .*the tenant's policy has to name it too/s);
    expect(await steps('http://other.example')).toContain('cordon run --allow');
  });

  it('keeps a bounded number of them', async () => {
    using client = await connectThrough(rig.ports.proxy, { target: 'api.example.com:443', ca: rig.ca.certificate });
    for (let i = 0; i < 70; i++) {
      expect((await client.ask(`GET /n${i} HTTP/1.1\r\nHost: api.example.com\r\n\r\n`)).status).toBe(403);
    }
    const { denials } = (await page('/denials')).json as { denials: unknown[] };
    expect(denials.length).toBe(64);
  });

  it('can only be read, is never forwarded, and makes no decision', async () => {
    const before = (await rig.entriesOf('decision')).length;
    expect((await page('/', 'POST')).status).toBe(405);
    expect((await page('/nothing')).status).toBe(404);
    using head = await RawClient.to(rig.ports.http);
    head.send('HEAD / HTTP/1.1\r\nHost: cordon.internal\r\nConnection: close\r\n\r\n');
    expect(await head.rest()).toMatch(/^HTTP\/1\.1 200 OK\r\n(?:[^\r\n]+\r\n)+\r\n$/);
    using client = await RawClient.to(rig.ports.http);
    expect((await client.ask('GET / HTTP/1.1\r\nHost: model.cordon.internal\r\n\r\n')).status).toBe(404);
    using proxy = await RawClient.to(rig.ports.proxy);
    expect(
      (await proxy.ask('GET http://cordon.internal:8080/x HTTP/1.1\r\nHost: cordon.internal:8080\r\n\r\n')).status,
    ).toBe(404);
    expect((await rig.entriesOf('decision')).length).toBe(before);
    expect(sink.connections).toBe(0);
  });
});
