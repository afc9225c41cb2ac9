import { describe, expect, test } from 'vitest';
import { Harness, until } from './harness.ts';

const spend = async (harness: Harness): Promise<string> => {
  const { layers } = (await harness.get('/v1/policy')).json as {
    layers: { name: string; policies: Record<string, string> }[];
  };
  return layers.find(({ name }) => name === 'ceiling')?.policies['ceiling/core/R1-spend'] ?? '';
};

describe('the version of the core rules', () => {
  test('follows from how many people can be asked, as a generation of its own', async () => {
    await using harness = await Harness.start();
    expect(await spend(harness)).toContain('quorum >= 1');
    harness.policyFile('team.yaml', 'default: allow\napprovals:\n  rungs: [1, { people: 2 }]\n');
    await until(async () => (await harness.get('/v1/policy')).json.generation === 2);
    expect(await spend(harness)).toContain('quorum >= 2');
    harness.policyFile('team.yaml', 'default: allow\napprovals:\n  rungs: [1]\n');
    await until(async () => (await harness.get('/v1/policy')).json.generation === 3);
    expect(await spend(harness)).toContain('quorum >= 1');
  });

  test('asks for no keys that nobody can have, in files or in a bundle', async () => {
    await using harness = await Harness.start();
    const text = 'default: allow\napprovals:\n  rungs: [1, { people: 2, strong: true }]\n';
    const check = await harness.post('/v1/policy/check', { files: [{ name: 'team.yaml', text }] });
    expect(check.json).toMatchObject({
      ok: false,
      problems: [{ file: 'team.yaml', line: 3, code: 'rungs-invalid', mend: expect.stringContaining('[1, 2]') }],
    });
    const pack = await harness.post('/v1/policy/pack', { content: { files: [{ name: 'grants/team.yaml', text }] } });
    expect(pack.json).toMatchObject({ code: 'policy-invalid', detail: expect.stringContaining('no program can use') });
    harness.policyFile('team.yaml', text);
    const reload = await harness.post('/v1/policy/reload');
    expect(reload.json).toMatchObject({ ok: false, problems: [{ code: 'rungs-invalid' }] });
    expect((await harness.get('/v1/policy')).json.generation).toBe(1);
  });
});
