import path from 'node:path';
import { nodeFiles, verifyLedger, verifyProof } from '@cordon/ledger';
import { describe, expect, test } from 'vitest';
import { FakeGateway } from './fake-gateway.ts';
import { Harness, until } from './harness.ts';
import { WritingGateway } from './writing-gateway.ts';

const robot = (harness: Harness) =>
  harness.post('/v1/sessions', harness.order({ profile: 'robot', allow: ['docs.example.com'] }));

describe('decisions', () => {
  test('are found, counted, explained and proved, with method and path from what was kept', async () => {
    await using harness = await Harness.start();
    await using gateway = await WritingGateway.open(harness);
    const { id } = (await robot(harness)).json;
    const allowed = await gateway.decide(id, 'docs.example.com', '/guide');
    await gateway.finish(id, allowed);
    const denied = await gateway.decide(id, 'evil.example.com', '/drop');

    const page = await harness.get(`/v1/decisions?session=${id}&order=asc`);
    expect(page.json.decisions).toMatchObject([
      {
        attempt: allowed,
        outcome: 'allow',
        summary: 'GET https://docs.example.com/guide',
        status: 204,
        bytesIn: 5,
        bytesOut: 7,
        generation: 1,
        revision: 1,
      },
      {
        attempt: denied,
        outcome: 'deny',
        code: 'no-grant',
        summary: 'GET https://evil.example.com/drop',
        status: null,
      },
    ]);
    expect(page.json.decisions[1].next.join()).toContain('--allow evil.example.com/drop');
    expect((await harness.get('/v1/decisions?outcome=deny')).json.decisions).toHaveLength(1);
    expect((await harness.get('/v1/decisions?agent=nobody')).json.decisions).toEqual([]);
    expect((await harness.get(`/v1/sessions/${id}`)).json.decisions).toEqual({ allow: 1, deny: 1 });

    const explained = await harness.get(`/v1/decisions/${allowed}`);
    expect(explained.json.layers.find((layer: { layer: string }) => layer.layer === 'session').permits).toHaveLength(1);
    expect(explained.json.intent.args.path).toBe('/guide');
    const [policy] = Object.entries(explained.json.policies as Record<string, string>).filter(([name]) =>
      name.startsWith('session/--allow'),
    );
    expect(policy?.[1]).toContain('docs.example.com');

    const key = (await harness.get('/v1/ledger/key')).json.publicKey;
    const proof = (await harness.get(`/v1/ledger/proof?attempt=${denied}`)).json;
    expect(verifyProof(proof, key)).toMatchObject({ ok: true });
    const bent = { ...proof, entry: { ...proof.entry, data: { ...proof.entry.data, outcome: 'allow' } } };
    expect(verifyProof(bent, key)).toMatchObject({ ok: false });
    expect((await harness.get('/v1/ledger/checkpoint')).json.checkpoint).toContain('local.test/ledger');
  });

  test('that did not happen are listed with what was allowed and not dialled; refusals have a list of their own', async () => {
    await using harness = await Harness.start();
    await using gateway = await WritingGateway.open(harness);
    const { id } = (await robot(harness)).json;
    const fine = await gateway.decide(id, 'docs.example.com', '/fine');
    await gateway.finish(id, fine);
    const undialled = await gateway.decide(id, 'docs.example.com', '/inside');
    await gateway.finish(id, undialled, 'address-forbidden');
    const denied = await gateway.decide(id, 'evil.example.com', '/');
    await gateway.refuse(id, 'head-too-large', { suppressed: 3 });
    const list = (await harness.get(`/v1/decisions?session=${id}&denied=true&order=asc`)).json.decisions;
    expect(list.map((each: { attempt: string; result: string | null }) => [each.attempt, each.result])).toEqual([
      [undialled, 'address-forbidden'],
      [denied, null],
    ]);
    const stop = new AbortController();
    const refused = harness.events('/v1/refusals?follow=true&since=start', stop.signal);
    expect((await refused.next()).value).toMatchObject({
      event: 'refusal',
      data: { session: id, code: 'head-too-large', suppressed: 3, channel: 'c1' },
    });
    await gateway.refuse(id, 'target-too-long');
    expect((await refused.next()).value).toMatchObject({ data: { code: 'target-too-long' } });
    stop.abort();
    await refused.return(undefined);
    // A decision that was slow is noted as a fault too, but it is no refusal of a request.
    await gateway.refuse(id, 'slow-decision', { attempt: denied });
    const codes = (await harness.get(`/v1/refusals?session=${id}`)).json.refusals.map(
      (one: { code: string }) => one.code,
    );
    expect(codes).toEqual(['target-too-long', 'head-too-large']);
  });

  test('are explained by the policy of their time, not by that of today', async () => {
    await using harness = await Harness.start();
    await using gateway = await WritingGateway.open(harness);
    const { id } = (await robot(harness)).json;
    const attempt = await gateway.decide(id, 'docs.example.com', '/');
    harness.policyFile(
      'later.cedar',
      '@id("later") forbid (principal, action, resource in Cordon::Domain::"example.com");\n',
    );
    await until(async () => (await harness.get('/v1/policy')).json.generation === 2);
    const { json } = await harness.get(`/v1/decisions/${attempt}`);
    expect(json.decision).toMatchObject({ outcome: 'allow', generation: 1 });
    expect(json.layers.every((layer: { forbids: string[] }) => layer.forbids.length === 0)).toBe(true);
  });

  test('stream to whoever follows, and a reader resumes where it was cut', async () => {
    await using harness = await Harness.start();
    await using gateway = await WritingGateway.open(harness);
    const { id } = (await robot(harness)).json;
    const first = await gateway.decide(id, 'docs.example.com', '/1');
    await harness.get('/v1/decisions');
    const cut = new AbortController();
    const seen: string[] = [];
    let last = '';
    const stream = harness.events(`/v1/decisions?follow=true&session=${id}&since=start`, cut.signal);
    for await (const event of stream) {
      seen.push(String(event.data['attempt']));
      last = event.id;
      if (seen.length === 1) void gateway.decide(id, 'docs.example.com', '/2');
      if (seen.length === 2) cut.abort();
    }
    expect(seen[0]).toBe(first);
    // While nobody reads: one of this session, one of another, which the filter leaves out.
    const missed = await gateway.decide(id, 'evil.example.com', '/3');
    const { id: other } = (await robot(harness)).json;
    await gateway.decide(other, 'docs.example.com', '/4');
    const again = new AbortController();
    for await (const event of harness.events(`/v1/decisions?follow=true&session=${id}`, again.signal, {
      'last-event-id': last,
    })) {
      expect(event.data['attempt']).toBe(missed);
      again.abort();
    }
    const bad = await harness.get('/v1/decisions?follow=true', { 'last-event-id': 'nonsense' });
    expect([bad.status, bad.json.code]).toEqual([400, 'request-invalid']);
  });

  test('an index that was lost is built again from the ledger, which verifies', async () => {
    await using harness = await Harness.start();
    const attempts: string[] = [];
    {
      await using gateway = await WritingGateway.open(harness);
      const { id } = (await robot(harness)).json;
      for (let i = 0; i < 5; i++) attempts.push(await gateway.decide(id, 'docs.example.com', `/${i}`));
      await harness.get('/v1/decisions');
    }
    await harness.close();
    harness.loseDatabase();
    await harness.open();
    const page = await harness.get('/v1/decisions?order=asc');
    expect(page.json.decisions.map((decision: { attempt: string }) => decision.attempt)).toEqual(attempts);
    const proof = await harness.get(`/v1/ledger/proof?attempt=${attempts[3]}`);
    expect(proof.json.entry.data.attempt).toBe(attempts[3]);
    const key = (await harness.get('/v1/ledger/key')).json.publicKey;
    await harness.close();
    const report = verifyLedger({
      journals: path.join(harness.home, 'journal/local'),
      tree: path.join(harness.home, 'tree/local'),
      verifierKey: key,
    });
    expect(report.parts.flatMap((part) => part.failures)).toEqual([]);
    expect(report.ok).toBe(true);
  });

  test('sessions stream as well', async () => {
    await using harness = await Harness.start();
    const { id } = (await robot(harness)).json;
    const end = new AbortController();
    const states: unknown[] = [];
    for await (const event of harness.events('/v1/sessions?follow=true', end.signal)) {
      expect(event.data['id']).toBe(id);
      states.push(event.data['state']);
      if (states.length === 1) void harness.supervisor.end(id);
      if (event.data['state'] === 'ended') end.abort();
    }
    expect(states[0]).toBe('running');
  });
});

describe('a full disk', () => {
  test('lets nothing new start, saves nobody from a stop, and is over when there is room again', async () => {
    await using harness = await Harness.start();
    await harness.close();
    let full = false;
    harness.journalFiles = {
      ...nodeFiles,
      write: (fd, buffers) => {
        if (full) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
        return nodeFiles.write(fd, buffers);
      },
    };
    await harness.open();
    const { id } = (await robot(harness)).json;
    full = true;
    const refused = await robot(harness);
    expect([refused.status, refused.json.code]).toEqual([503, 'ledger-unavailable']);
    expect(harness.supervisor.orders).toHaveLength(1);
    expect((await harness.get('/v1/status')).json.warnings.join()).toContain('the ledger cannot be written');
    const stop = await harness.post('/v1/stops', { scope: { session: id }, strength: 'freeze', reason: 'now' });
    expect([stop.status, stop.json.code]).toEqual([503, 'ledger-unavailable']);
    expect(stop.json.detail).toContain('was carried out');
    expect(harness.supervisor.sessions.get(id)?.state).toBe('frozen');
    // What cannot be recorded is not lifted, and no secret leaves.
    expect((await harness.post('/v1/lifts', { scope: { session: id } })).status).toBe(503);
    expect(harness.supervisor.sessions.get(id)?.state).toBe('frozen');
    full = false;
    await until(async () => (await harness.get('/v1/status')).json.warnings.length === 0);
    expect((await harness.post('/v1/lifts', { scope: { session: id } })).json.thawed).toEqual([id]);
    expect((await robot(harness)).status).toBe(201);
  });
});

describe('a disk that has reached the reserve', () => {
  test('is said by status, as long as a gateway says so', async () => {
    await using harness = await Harness.start();
    const warnings = async (): Promise<string> => (await harness.get('/v1/status')).json.warnings.join();
    {
      await using _full = await FakeGateway.connect(harness.controlSocket, 'local', true);
      await until(async () => (await warnings()).includes('has reached its reserve'));
    }
    await until(async () => !(await warnings()).includes('has reached its reserve'));
  });
});

describe('entries', () => {
  test('are found by what they name, page by page, and no others', async () => {
    await using harness = await Harness.start();
    await using gateway = await WritingGateway.open(harness);
    const [one, two] = [(await robot(harness)).json.id as string, (await robot(harness)).json.id as string];
    const attempt = await gateway.decide(one, 'docs.example.com', '/guide');
    await gateway.finish(one, attempt);
    await gateway.decide(two, 'docs.example.com', '/guide');
    const about = async (id: string, more = '') => {
      const { entries, next } = (await harness.get(`/v1/ledger/entries?about=${id}${more}`)).json;
      return { types: entries.map((each: { entry: { type: string } }) => each.entry.type), next };
    };
    expect(await about(attempt)).toEqual({ types: ['decision', 'start', 'outcome'], next: null });
    const first = await about(attempt, '&limit=1');
    expect(first.types).toEqual(['decision']);
    expect(await about(attempt, `&limit=9&from=${first.next}`)).toEqual({ types: ['start', 'outcome'], next: null });
    expect((await about(two)).types).toContain('decision');
    expect((await about(two)).types).not.toContain('outcome');
    expect(await about(`att_${'0'.repeat(26)}`)).toEqual({ types: [], next: null });
    for (const odd of ['decision', 'att_1', '.*', `${attempt}%22`]) {
      expect((await harness.get(`/v1/ledger/entries?about=${odd}`)).status).toBe(400);
    }
  });
});

describe('secrets', () => {
  test('go in, are listed without value, and never come out', async () => {
    await using harness = await Harness.start();
    const put = await harness.send('PUT', '/v1/secrets/robot', { value: 'the-value-of-robot' });
    expect(put.json).toMatchObject({ name: 'robot', version: 1, lastUsedAt: null });
    const list = await harness.get('/v1/secrets');
    expect(list.json.secrets).toHaveLength(1);
    expect(put.text + list.text).not.toContain('the-value-of-robot');
    expect(
      (await harness.send('PUT', '/v1/secrets/robot', { value: 'another-value' }, { 'if-match': '"7"' })).status,
    ).toBe(412);
    expect((await harness.send('PUT', '/v1/secrets/Robot', { value: 'another-value' })).status).toBe(400);
    expect((await harness.send('PUT', '/v1/secrets/robot', { value: 'short' })).status).toBe(400);
    expect((await harness.send('PUT', '/v1/secrets/robot', { value: 'two\nlines here' })).status).toBe(400);
    expect((await harness.send('DELETE', '/v1/secrets/robot')).status).toBe(200);
    expect((await harness.send('DELETE', '/v1/secrets/robot')).status).toBe(404);
  });

  test('are leased to a gateway for a bound destination of a living, unstopped session, and recorded first', async () => {
    await using harness = await Harness.start();
    await using gateway = await FakeGateway.connect(harness.controlSocket);
    await harness.send('PUT', '/v1/secrets/robot', { value: 'the-value-of-robot' });
    const { id } = (await robot(harness)).json;
    const lease = (change: object = {}) =>
      gateway.channel.call('lease', {
        session: id,
        secret: 'robot',
        destination: 'https://api.example.com:443',
        attempt: 'att_1',
        ...change,
      });
    expect(await lease()).toMatchObject({ value: 'the-value-of-robot' });
    const refusals: Array<[object, string]> = [
      [{ session: 'ses_00000000000000000000000000' }, 'session-ended'],
      [{ destination: 'https://evil.example.com:443' }, 'secret-misplaced'],
      [{ destination: 'http://api.example.com:80' }, 'secret-misplaced'],
      [{ destination: 'https://api.example.com:8443' }, 'secret-misplaced'],
      [{ secret: 'other' }, 'secret-misplaced'],
    ];
    for (const [change, code] of refusals)
      await expect(lease(change), JSON.stringify(change)).rejects.toMatchObject({ code });
    await harness.post('/v1/stops', { scope: { session: id }, strength: 'freeze' });
    await expect(lease()).rejects.toMatchObject({ code: 'session-stopped' });
    await harness.post('/v1/lifts', { scope: { session: id } });
    await harness.send('DELETE', '/v1/secrets/robot');
    await expect(lease()).rejects.toMatchObject({ code: 'secret-unknown' });

    const { entries } = (await harness.get('/v1/ledger/entries?limit=500')).json as {
      entries: { entry: { type: string; data: object } }[];
    };
    const leases = entries.filter(({ entry }) => entry.type === 'lease');
    expect(leases).toHaveLength(1);
    expect(leases[0]?.entry.data).toMatchObject({
      secret: 'robot',
      version: 1,
      destination: 'https://api.example.com:443',
      attempt: 'att_1',
    });
    expect(JSON.stringify(entries)).not.toContain('the-value-of-robot');
  });

  test('and nothing else go to a gateway of another tenant, or to one that did not say hello', async () => {
    await using harness = await Harness.start();
    await expect(FakeGateway.connect(harness.controlSocket, 'acme')).rejects.toMatchObject({ code: 'tenant-unknown' });
  });
});
