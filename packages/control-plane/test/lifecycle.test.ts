import { createServer } from 'node:net';
import path from 'node:path';
import { buildBundle } from '@cordon/policy';
import { bundleType, canonicalize, type RecordValue, type TenantPolicy, trustType } from '@cordon/protocol';
import { digestBytes } from '@cordon/protocol/digest';
import { createSigningKey, openSigningKey, type Signer, signEnvelope } from '@cordon/protocol/dsse';
import { openStore } from '@cordon/store';
import { describe, expect, test } from 'vitest';
import { createLog } from '../src/index.ts';
import { Explainer } from '../src/ledger/explain.ts';
import { Gateways } from '../src/uplink/gateways.ts';
import { FakeGateway } from './fake-gateway.ts';
import { type ApiReply, Harness, testEngine, until } from './harness.ts';
import { WritingGateway } from './writing-gateway.ts';

const open = 'permit (principal, action, resource);\n';
const noPaste = '@id("no-paste") forbid (principal, action, resource in Cordon::Host::"paste.example");\n';
const files = (text: string, more: Readonly<Record<string, string>> = {}) =>
  Object.entries({ 'policies/site.cedar': text, ...more }).map(([name, content]) => ({ name, text: content }));

interface Signed {
  readonly bundle: string;
  readonly envelope: ReturnType<typeof signEnvelope>;
  readonly generation: number;
  readonly address: string;
  readonly widening: boolean;
}

/** A person at a command line: packs, signs with whatever keys, activates. */
class Operator {
  readonly harness: Harness;
  readonly key: Signer;

  constructor(harness: Harness) {
    this.harness = harness;
    this.key = openSigningKey(harness.operatorKey.privatePem);
  }

  async pack(content: object, keys: readonly Signer[] = [this.key], more: object = {}): Promise<Signed> {
    const { status, json, text } = await this.harness.post('/v1/policy/pack', { content, ...more });
    expect(status, text).toBe(200);
    const envelope = signEnvelope(bundleType, Buffer.from(json.manifest as string, 'base64'), keys);
    return {
      bundle: json.bundle,
      envelope,
      generation: json.generation,
      address: json.address,
      widening: json.widening,
    };
  }

  activate({ bundle, envelope }: Pick<Signed, 'bundle' | 'envelope'>): Promise<ApiReply> {
    return this.harness.post('/v1/policy/activate', { bundle, envelope });
  }

  async put(text: string): Promise<Signed> {
    const signed = await this.pack({ files: files(text) });
    const done = await this.activate(signed);
    expect(done.status, done.text).toBe(200);
    return signed;
  }

  async policy(): Promise<string> {
    const { json } = await this.harness.get('/v1/policy');
    return `${json.generation} ${JSON.stringify(json.layers)}`;
  }

  async refused(signed: Pick<Signed, 'bundle' | 'envelope'>, code: string, why: RegExp): Promise<void> {
    const before = await this.policy();
    const { json, text } = await this.activate(signed);
    expect(json.code, text).toBe(code);
    expect(json.detail).toMatch(why);
    expect(await this.policy()).toBe(before);
  }
}

describe('a bundle', { timeout: 120_000 }, () => {
  test('is in force when every gateway decides by it, and the folder is not read any more', async () => {
    await using harness = await Harness.start();
    await using gateway = await FakeGateway.connect(harness.controlSocket);
    const operator = new Operator(harness);
    const signed = await operator.pack({ files: files(noPaste) });
    expect(signed).toMatchObject({ generation: 2, widening: false });
    const done = await operator.activate(signed);
    expect(done.json).toMatchObject({
      ...{ generation: 2, address: signed.address, gateways: 1, cutOff: 0, widening: false },
      signedBy: [{ sub: 'ada' }],
    });
    expect(gateway.tenants.at(-1)?.generation).toBe(2);
    expect(JSON.stringify(gateway.tenants.at(-1))).toContain('tenant/site/no-paste');

    harness.policyFile('more.cedar', open);
    expect((await harness.post('/v1/policy/reload')).json.problems).toMatchObject([{ code: 'bundle-in-force' }]);
    expect((await harness.get('/v1/status')).json.warnings.join()).toMatch(/a signed bundle is in force/);
    const [entry] = (await harness.entries('policy')).slice(-1);
    expect(entry).toMatchObject({ act: 'activate', generation: 2, bundle: signed.address, widening: false });
    expect(entry?.['signedBy']).toMatchObject([{ sub: 'ada' }]);
    const { generations } = (await harness.get('/v1/policy/generations')).json;
    expect(generations).toMatchObject([
      { generation: 2, address: signed.address, files: ['policies/site.cedar'], inForce: true },
      { generation: 1, address: null, inForce: false },
    ]);
  });

  test('never follows a later one, also after a restart; the same one again changes nothing', async () => {
    await using harness = await Harness.start();
    const operator = new Operator(harness);
    const first = await operator.put(noPaste);
    const rival = await operator.pack({ files: files(noPaste) });
    const second = await operator.put(open);
    expect(second.generation).toBe(3);
    await operator.refused(first, 'policy-rollback', /generation 2 comes after 3/);
    await operator.refused(rival, 'policy-rollback', /generation 3 comes after 3/);
    expect((await operator.activate(second)).json.generation).toBe(3);
    await harness.close();
    await harness.open();
    await operator.refused(first, 'policy-rollback', /generation 2 comes after 3/);
    await operator.refused(rival, 'policy-rollback', /generation 3 comes after 3/);
    expect(await operator.policy()).toMatch(/^3 /);
    expect((await harness.entries('policy')).map((entry) => entry['generation'])).toEqual([1, 2, 3]);
  });

  test('comes back under a new number', async () => {
    await using harness = await Harness.start();
    const operator = new Operator(harness);
    await operator.put(noPaste);
    await operator.put(open);
    const back = await operator.pack({ generation: 2 });
    expect(back).toMatchObject({ generation: 4, widening: false });
    expect((await operator.activate(back)).status).toBe(200);
    expect(await operator.policy()).toMatch(/^4 .*no-paste/);
    const folder = await operator.pack({ generation: 1 });
    expect(folder).toMatchObject({ generation: 5, widening: true });
  });

  test('that was changed, or signed by somebody else, is refused', async () => {
    await using harness = await Harness.start();
    const operator = new Operator(harness);
    const signed = await operator.pack({ files: files(noPaste) });
    const bytes = Buffer.from(signed.bundle, 'base64');
    const at = bytes.indexOf('forbid');
    for (const change of ['permit', 'Forbid']) {
      const other = Buffer.from(bytes);
      other.write(change, at);
      await operator.refused({ ...signed, bundle: other.toString('base64') }, 'bundle-invalid', /not the file/);
    }
    const stranger = openSigningKey(createSigningKey().privatePem);
    await operator.refused(
      await operator.pack({ files: files(noPaste) }, [stranger]),
      'bundle-unsigned',
      /no signature/,
    );
    const other = await operator.pack({ files: files(open) });
    await operator.refused({ ...signed, envelope: other.envelope }, 'bundle-unsigned', /of another bundle/);
    await operator.refused({ ...signed, bundle: Buffer.from('x').toString('base64') }, 'bundle-invalid', /ends before/);
  });

  test('of another tenant, engine or time is refused, and an expired one denies', async () => {
    await using harness = await Harness.start();
    await using gateway = await FakeGateway.connect(harness.controlSocket);
    const operator = new Operator(harness);
    const make = (more: Partial<Parameters<typeof buildBundle>[0]>, by = operator.key) => {
      const built = buildBundle({
        ...{ scope: 'tenant/local', generation: 2, previous: null, rungs: [], engine: testEngine().digest },
        ...{ notBefore: '2020-01-01T00:00:00.000Z', expires: null },
        files: [{ path: 'policies/site.cedar', text: noPaste }],
        ...more,
      });
      if (!built.ok) throw new TypeError(built.message);
      const envelope = signEnvelope(bundleType, built.bundle.manifestBytes, [by]);
      return { bundle: built.bytes.toString('base64'), envelope };
    };
    await operator.refused(make({ scope: 'tenant/other' }), 'bundle-invalid', /tenant\/other/);
    // Of a stranger's bundle nothing is looked at but its signatures.
    const stranger = openSigningKey(createSigningKey().privatePem);
    await operator.refused(make({ scope: 'tenant/other' }, stranger), 'bundle-unsigned', /no signature/);
    await operator.refused(make({ engine: `sha256:${'0'.repeat(64)}` }), 'bundle-invalid', /another engine/);
    await operator.refused(make({ notBefore: '2999-01-01T00:00:00.000Z' }), 'bundle-invalid', /not valid before/);
    await operator.refused(make({ expires: '2020-01-02T00:00:00.000Z' }), 'bundle-invalid', /expired/);
    await operator.refused(make({ rungs: [{ quorum: 2, strong: false }] }), 'bundle-invalid', /other approvals/);
    await operator.refused(make({ generation: 1 }), 'policy-rollback', /comes after 1/);
    const expires = '2999-01-02T00:00:00.000Z';
    expect((await operator.activate(make({ expires }))).status).toBe(200);
    expect(gateway.tenants.at(-1)?.expires).toBe(expires);
  });

  test('passes the gate, the proof and its own tests, or nobody is asked to sign it', async () => {
    await using harness = await Harness.start();
    const refused = async (content: object, why: RegExp) => {
      const { json } = await harness.post('/v1/policy/pack', { content });
      expect(json.code).toBe('policy-invalid');
      expect(json.detail).toMatch(why);
    };
    await refused({ files: files('permit (principal, action resource);') }, /site.cedar:1/);
    await refused(
      { files: files('forbid (principal, action, resource) when { context.anomaly < 2 };') },
      /T6: anomaly 2/,
    );
    const resource = 'https://paste.example:443';
    const tests = (outcome: string) =>
      JSON.stringify({ tests: [{ name: 'no paste', intent: { resource, method: 'POST' }, outcome }] });
    await refused(
      { files: files(noPaste, { 'tests/a.yaml': tests('allow') }) },
      /expected allow, got deny forbidden|expected allow/,
    );
    await refused({ files: files(noPaste, { 'tests/a.yaml': 'tests: 1\n' }) }, /tests\/a.yaml:1/);
    const { status } = await harness.post('/v1/policy/pack', {
      content: { files: files(noPaste, { 'tests/a.yaml': tests('deny') }) },
    });
    expect(status).toBe(200);
  });

  test('of two at once one is in force, and the other is refused', async () => {
    await using harness = await Harness.start();
    const operator = new Operator(harness);
    const [one, two] = [await operator.pack({ files: files(noPaste) }), await operator.pack({ files: files(open) })];
    const answers = await Promise.all([operator.activate(one), operator.activate(two)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    expect((await harness.entries('policy')).filter((entry) => entry['generation'] === 2)).toHaveLength(1);
  });

  test('whose number was kept and whose entry was not is recorded at the next start', async () => {
    await using harness = await Harness.start();
    const operator = new Operator(harness);
    const signed = await operator.put(noPaste);
    await harness.close();
    const store = await openStore(path.join(harness.home, 'cordon.db'));
    await store.settings.set('policy.recorded/tenant/local', '1');
    await store.close();
    await harness.open();
    const entries = (await harness.entries('policy')).filter((entry) => entry['generation'] === 2);
    expect(entries).toMatchObject([{ cause: 'ada' }, { cause: 'recovered', bundle: signed.address }]);
    expect(await operator.policy()).toMatch(/^2 .*no-paste/);
    await harness.close();
    await harness.open();
    expect((await harness.entries('policy')).filter((entry) => entry['generation'] === 2)).toHaveLength(2);
  });
});

describe('the trust root', { timeout: 120_000 }, () => {
  test('passes on with both thresholds, and more must sign what widens', async () => {
    await using harness = await Harness.start();
    const operator = new Operator(harness);
    const keys = {
      ada: operator.key,
      bob: openSigningKey(createSigningKey().privatePem),
      eve: openSigningKey(createSigningKey().privatePem),
    };
    const first = (await harness.get('/v1/policy/trust')).json;
    expect(first).toMatchObject({ number: 0, kind: 'solo', thresholds: { bundle: 1, root: 1 } });
    const iss = first.signers[0].person.iss as string;
    const pinned = (key: Signer) => (key as ReturnType<typeof openSigningKey>).pinned;
    const next = {
      ...{ v: 'trust/1', tenant: 'local', number: 1, kind: 'organisation', thresholds: { bundle: 2, root: 2 } },
      signers: Object.entries(keys).map(([sub, key]) => ({ person: { iss, sub }, key: pinned(key) })),
    };
    const rotate = (root: object, by: readonly Signer[]) =>
      harness.send('PUT', '/v1/policy/trust', {
        envelope: signEnvelope(trustType, canonicalize(root as RecordValue), by),
      });
    expect((await rotate(next, [keys.bob, keys.eve])).json.code).toBe('trust-invalid');
    expect((await rotate(next, [keys.ada])).json.detail).toMatch(/1 of the 2 new/);
    expect((await rotate(next, [keys.ada, keys.bob])).json).toMatchObject({ number: 1, kind: 'organisation' });
    expect((await harness.entries('trust')).at(-1)).toMatchObject({ act: 'rotate', number: 1, by: 'ada' });
    await harness.close();
    await harness.open();
    expect((await harness.get('/v1/policy/trust')).json.number).toBe(1);
    expect((await rotate(next, [keys.ada, keys.bob])).json.detail).toMatch(/where 2 comes next/);

    const alone = await operator.pack({ files: files(noPaste) });
    await operator.refused(alone, 'bundle-unsigned', /1 of 2/);
    const narrow = await operator.pack({ files: files(noPaste) }, [keys.ada, keys.bob]);
    expect((await operator.activate(narrow)).json.signedBy).toHaveLength(2);
    const wide = await operator.pack({ files: files(open) }, [keys.ada, keys.bob]);
    expect(wide.widening).toBe(true);
    await operator.refused(wide, 'bundle-unsigned', /2 of 3 people have signed, one more/);
    const all = await operator.pack({ files: files(open) }, [keys.ada, keys.bob, keys.eve]);
    expect((await operator.activate(all)).status).toBe(200);
  });
});

describe('a candidate', { timeout: 120_000 }, () => {
  test('is compared, replayed and run beside, and nothing of it is in force', async () => {
    await using harness = await Harness.start();
    await using gateway = await WritingGateway.open(harness);
    const start = await harness.post('/v1/sessions', {
      command: [harness.program('robot')],
      workspace: harness.workspace,
      allow: ['paste.example:GET', 'good.example'],
    });
    const session = start.json.id as string;
    await gateway.decide(session, 'paste.example', '/a');
    await gateway.decide(session, 'good.example', '/a');
    const operator = new Operator(harness);
    const before = await operator.policy();
    const candidate = { files: files(noPaste) };

    const diff = await harness.post('/v1/policy/diff', { after: candidate, since: '2020-01-01T00:00:00.000Z' });
    expect(diff.json, diff.text).toMatchObject({ widening: false, space: { complete: true } });
    expect(diff.json.space.changes[0]).toMatchObject({ from: 'allow', to: 'deny', policies: ['tenant/site/no-paste'] });
    expect(diff.json.traffic).toMatchObject({
      ...{ decisions: 2, changed: 1 },
      changes: [{ summary: 'GET https://paste.example/a', from: 'allow', to: 'deny', code: 'forbidden', count: 1 }],
    });
    const back = await harness.post('/v1/policy/diff', { before: candidate, after: { current: true } });
    expect(back.json.widening).toBe(true);
    const replayed = await harness.post('/v1/policy/replay', { candidate });
    expect(replayed.json).toMatchObject({ decisions: 2, changed: 1 });
    const none = await harness.post('/v1/policy/replay', { candidate, since: '2999-01-01T00:00:00.000Z' });
    expect(none.json).toMatchObject({ decisions: 0, changed: 0 });

    expect((await harness.get('/v1/policy/shadow')).json.candidate).toBeNull();
    expect((await harness.send('PUT', '/v1/policy/shadow', { candidate })).status).toBe(200);
    const attempt = await gateway.decide(session, 'paste.example', '/b');
    // With its outcome at once, as a quick answer has it: it is judged all the same, and once.
    await gateway.finish(session, attempt);
    const report = await until(async () => {
      const { json } = await harness.get('/v1/policy/shadow');
      return json.report.changed > 0 ? json.report : null;
    });
    expect(report.changes).toMatchObject([{ from: 'allow', to: 'deny', attempt, count: 1 }]);
    expect((await harness.get(`/v1/decisions/${attempt}`)).json.decision.outcome).toBe('allow');
    expect(await operator.policy()).toBe(before);
    expect((await harness.entries('policy')).map((entry) => entry['generation'])).toEqual([1]);
    expect(gateway.gateway.tenants).toHaveLength(1);
    expect((await harness.send('DELETE', '/v1/policy/shadow')).json.candidate).toBe('candidate');
    expect((await harness.get('/v1/policy/shadow')).json.report).toBeNull();
  });
});

describe('an explanation', { timeout: 120_000 }, () => {
  test('names the people who were asked about these very bytes, and what they said', async () => {
    const answer = (sub: string, verdict: string) => ({
      envelope: {
        payload: Buffer.from(JSON.stringify({ person: { iss: 'local:0', sub }, verdict })).toString('base64'),
      },
      at: '2026-01-01T00:00:00.000Z',
    });
    const hold = (id: string, intent: string, answers: readonly object[]) => ({
      record: { id, intent, rung: { quorum: 2, strong: false } },
      ...{ state: 'approved', at: '2026-01-01T00:00:00.000Z', answers },
    });
    const held = [
      hold('hld_2', 'sha256:a', [answer('ada', 'approve'), answer('bob', 'approve')]),
      hold('hld_other', 'sha256:b', [answer('eve', 'deny')]),
      hold('hld_1', 'sha256:a', []),
    ];
    const explainer = new Explainer({
      decisions: {
        get: async () => ({
          row: { session: 'ses_1', data: {} },
          body: { intent: null, facts: null, decision: null, all: {} },
          decision: { generation: 1, intent: 'sha256:a' },
        }),
      },
      holds: { list: async () => ({ items: held, next: null }) },
      sessions: { get: async () => null },
      generation: async () => null,
    } as unknown as ConstructorParameters<typeof Explainer>[0]);
    const { approvals } = await explainer.explain('att_1');
    expect(approvals.map((each) => each.hold)).toEqual(['hld_1', 'hld_2']);
    expect(approvals[1]?.answers.map(({ person, verdict }) => `${person} ${verdict}`)).toEqual([
      'ada approve',
      'bob approve',
    ]);
  });
});

describe('gateways', { timeout: 120_000 }, () => {
  test('that do not take a policy are cut off before the others are said to decide by it', async () => {
    const policy: TenantPolicy = { tenant: 'local', generation: 1, layers: [], origins: [], expires: null };
    const log = createLog(
      () => undefined,
      () => '',
    );
    let next = policy;
    using gateways = new Gateways(
      {
        tenant: 'local',
        tenantPolicy: () => next,
        sessions: () => [],
        sessionPolicy: () => null,
        authority: () => ({ certificate: '', key: '' }),
        kick: () => undefined,
      } as unknown as ConstructorParameters<typeof Gateways>[0],
      log,
      20,
    );
    await using harness = await Harness.start();
    const socket = path.join(harness.run, 'own.sock');
    const server = createServer((stream) => gateways.accept(stream));
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    await using good = await FakeGateway.connect(socket);
    await using deaf = await FakeGateway.connect(socket);
    await until(() => good.tenants.length === 1 && deaf.tenants.length === 1);
    deaf.deaf = true;
    const closed = new Promise<void>((resolve) => deaf.channel.onClose(resolve));
    next = { ...policy, generation: 2 };
    expect(await gateways.pushTenant()).toEqual({ gateways: 1, cutOff: 1 });
    await closed;
    expect(good.tenants.at(-1)).toEqual(next);
    expect(digestBytes(JSON.stringify(next))).toMatch(/^sha256:/);
    await good[Symbol.asyncDispose]();
    await deaf[Symbol.asyncDispose]();
    await new Promise((resolve) => server.close(resolve));
  });
});
