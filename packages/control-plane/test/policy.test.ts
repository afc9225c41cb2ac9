import { rmSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { FakeGateway } from './fake-gateway.ts';
import { Harness, until } from './harness.ts';

const generation = async (harness: Harness): Promise<number> => (await harness.get('/v1/policy')).json.generation;

describe("the tenant's policy", () => {
  test('is read again when its files change; a bad file changes nothing and is named', async () => {
    await using harness = await Harness.start();
    await using gateway = await FakeGateway.connect(harness.controlSocket);
    expect(gateway.answer?.caCertificate).toMatch(/BEGIN CERTIFICATE/);
    expect(await generation(harness)).toBe(1);
    harness.policyFile(
      'limits.cedar',
      '@id("no-paste") forbid (principal, action, resource in Cordon::Domain::"paste.example.com");\n',
    );
    await until(async () => (await generation(harness)) === 2);
    await until(() => gateway.tenants.at(-1)?.generation === 2);
    const view = await harness.get('/v1/policy');
    expect(JSON.stringify(view.json.layers)).toContain('paste.example.com');

    harness.policyFile('worse.yaml', 'denys: []\n');
    const bad = await until(async () => {
      const { json } = await harness.get('/v1/status');
      return json.warnings.length > 0 ? (json.warnings as string[]) : null;
    });
    expect(bad.join()).toMatch(/policy worse.yaml:1: unknown key "denys"; generation 2 stays in force/);
    expect(await generation(harness)).toBe(2);
    const reload = await harness.post('/v1/policy/reload');
    expect(reload.json).toMatchObject({
      ok: false,
      problems: [{ file: 'worse.yaml', line: 1, column: 1, code: 'key-unknown' }],
    });

    // Also after a restart: the good generation is in force, not the files that nobody can read.
    await harness.close();
    await harness.open();
    expect(await generation(harness)).toBe(2);
    expect(JSON.stringify((await harness.get('/v1/policy')).json.layers)).toContain('paste.example.com');
    rmSync(path.join(harness.home, 'policy/worse.yaml'));
    rmSync(path.join(harness.home, 'policy/limits.cedar'));
    await until(async () => (await generation(harness)) === 3);
    expect((await harness.get('/v1/status')).json.warnings).toEqual([]);
  });

  test('permits nothing while its very first files are bad', async () => {
    await using harness = await Harness.start();
    await harness.close();
    harness.policyFile('bad.cedar', 'permit (principal');
    harness.loseDatabase();
    await harness.open();
    const view = await harness.get('/v1/policy');
    expect(view.json.generation).toBe(0);
    expect(view.json.layers.find((layer: { name: string }) => layer.name === 'tenant').policies).toEqual({});
  });

  test('with default: deny holds only what its files grant', async () => {
    await using harness = await Harness.start();
    harness.policyFile(
      'only.yaml',
      'default: deny\ngrants:\n  - allow: registry.example.com\n    addresses: [127.0.0.0/8]\n',
    );
    await until(async () => (await generation(harness)) === 2);
    const { layers } = (await harness.get('/v1/policy')).json as {
      layers: { name: string; policies: Record<string, string> }[];
    };
    const texts = Object.values(layers.find((layer) => layer.name === 'tenant')?.policies ?? {});
    expect(texts).toHaveLength(1);
    expect(texts[0]).toContain('registry.example.com');
  });
});

describe('policy verbs', () => {
  test('check names line and column of what is wrong, and counts what is right', async () => {
    await using harness = await Harness.start();
    const check = (files: { name: string; text: string }[]) => harness.post('/v1/policy/check', { files });
    const good = await check([
      {
        name: 'cordon.yaml',
        text: 'grants:\n  - allow: a.example.com\n  - allow: b.example.com/x/**\n    methods: [POST]\n',
      },
      { name: 't.cedar', text: '@id("a") forbid (principal, action, resource in Cordon::Domain::"x.example.com");' },
    ]);
    expect(good.json, good.text).toEqual({ ok: true, problems: [], policies: 3 });
    const bad: Array<[string, string, number, number, string]> = [
      ['cordon.yaml', 'grants:\n  - allow: a.example.com\n    method: [POST]\n', 3, 5, 'key-unknown'],
      ['cordon.yaml', 'grants:\n  - allow: a.example.com\n    methods: [post]\n', 3, 15, 'value-invalid'],
      ['cordon.yaml', 'grants: &x []\n', 1, 12, 'yaml-invalid'],
      ['cordon.yaml', 'profile: a\nprofile: b\n', 2, 1, 'yaml-invalid'],
      ['cordon.yaml', 'env: { A: !secret b }\n', 1, 11, 'yaml-invalid'],
      ['cordon.yaml', 'a: [\n', 2, 1, 'yaml-invalid'],
    ];
    for (const [name, text, line, column, code] of bad) {
      const { json } = await check([{ name, text }]);
      expect([json.ok, json.problems[0]], text).toMatchObject([false, { file: name, line, column, code }]);
    }
    const cedar = await check([
      { name: 'x.cedar', text: 'permit (principal,\n  action == Cordon::Action::"http.reqest", resource);' },
    ]);
    expect(cedar.json.ok).toBe(false);
    expect(cedar.json.problems[0].file).toBe('x.cedar');
  });

  test('test runs cases against candidate files', async () => {
    await using harness = await Harness.start();
    const files = [{ name: 'cordon.yaml', text: 'grants:\n  - allow: a.example.com/ok/**\n' }];
    const tests = [
      {
        name: 'cases.yaml',
        text: 'tests:\n  - name: reads\n    intent: { resource: "https://a.example.com:443", method: GET, path: /ok/1 }\n    outcome: allow\n  - name: writes\n    intent: { resource: "https://a.example.com:443", method: POST, path: /ok/1 }\n    outcome: deny\n    code: no-grant\n  - name: wrong on purpose\n    intent: { resource: "https://a.example.com:443", method: GET, path: /other }\n    outcome: allow\n',
      },
    ];
    const reply = await harness.post('/v1/policy/test', { files, tests });
    expect(reply.status, reply.text).toBe(200);
    expect(reply.json).toMatchObject({ passed: 2, failed: 1 });
    expect(reply.json.cases.map((one: { ok: boolean }) => one.ok)).toEqual([true, true, false]);
    const broken = await harness.post('/v1/policy/test', { files, tests: [{ name: 'c.yaml', text: 'tests: []\n' }] });
    expect(broken.json.code).toBe('policy-invalid');
  });
});
