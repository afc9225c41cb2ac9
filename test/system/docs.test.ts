import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Deployment } from '../support/deployment.ts';

// What the documents show is run here, so that a reader can trust every example.
const root = path.resolve(import.meta.dirname, '../..');
const document = (name: string): string => readFileSync(path.join(root, name), 'utf8');

/** The fenced blocks of one language. */
function blocks(text: string, language: string): string[] {
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)]
    .filter((match) => match[1] === language)
    .map((match) => match[2] ?? '');
}

describe('the examples of the documents', () => {
  let deployment: Deployment;
  beforeAll(async () => {
    deployment = await Deployment.start();
  });
  afterAll(async () => {
    await deployment[Symbol.asyncDispose]();
  });

  it('docs/guides/policy.md: cordon.yaml, its tests and the Cedar rule hold', async () => {
    const guide = document('docs/guides/policy.md');
    const yaml = blocks(guide, 'yaml');
    const config = yaml.find((block) => block.startsWith('version: 1')) ?? '';
    const tests = yaml.find((block) => block.includes('cordon.tests.yaml')) ?? '';
    const [cedar = ''] = blocks(guide, 'cedar');
    for (const [name, text] of [
      ['cordon.yaml', config],
      ['cordon.tests.yaml', tests],
      ['rule.cedar', cedar],
    ] as const) {
      writeFileSync(path.join(deployment.workspace, name), text);
    }
    const checked = await deployment.cordon(['policy', 'check', 'cordon.yaml', 'rule.cedar']);
    expect(checked.status, checked.stdout + checked.stderr).toBe(0);
    const tested = await deployment.cordon(['policy', 'test', '--policy', 'cordon.yaml', 'cordon.tests.yaml']);
    expect(tested.status, tested.stdout + tested.stderr).toBe(0);
    expect(tested.stdout).toContain('2 passed, 0 failed');
    // The same tests fail under another policy, so they do test something.
    writeFileSync(
      path.join(deployment.workspace, 'other.yaml'),
      'grants:\n  - allow: api.github.com/**\n    methods: [GET, DELETE]\n',
    );
    const failed = await deployment.cordon(['policy', 'test', '--policy', 'other.yaml', 'cordon.tests.yaml']);
    expect(failed.status).toBe(78);
    expect(failed.stdout).toContain('1 passed, 1 failed');
  });

  it('docs/guides/policy.md: an unknown key is an error with line and column', async () => {
    writeFileSync(path.join(deployment.workspace, 'bad.yaml'), 'version: 1\ngrant:\n  - allow: a.example\n');
    const checked = await deployment.cordon(['policy', 'check', 'bad.yaml']);
    expect(checked.status).toBe(78);
    expect(checked.stdout).toContain('bad.yaml:2:1');
    expect(checked.stdout).toContain('grant');
  });

  it('docs/guides/sdk.md: the program runs', () => {
    const [program = ''] = blocks(document('docs/guides/sdk.md'), 'ts');
    const socket = path.join(deployment.runtime, 'api.sock');
    const file = path.join(root, '.cache/sdk-guide.mts');
    writeFileSync(
      file,
      program.replace('/run/cordon/api.sock', socket).replace('process.cwd()', JSON.stringify(deployment.workspace)),
    );
    const output = execFileSync(process.execPath, ['--conditions=cordon-source', file], {
      encoding: 'utf8',
      cwd: root,
    });
    expect(output).toContain('hello\n');
    expect(output).toContain('ended with 0');
    expect(output).toContain('deny GET https://refused.example/ no-grant');
  });

  it('README.md: every cordon command that it names exists', async () => {
    const { stdout: help } = await deployment.cordon(['--help']);
    const named = new Set(
      [
        ...document('README.md').matchAll(/`?(?:\.\/)?cordon ([a-z]+(?: (?:set|list|check|show|explain|verify))?)\b/g),
      ].map((match) => match[1] ?? ''),
    );
    expect(named.size).toBeGreaterThan(10);
    const missing = [...named].filter((name) => !help.includes(`  ${name} `) && !['exists'].includes(name));
    expect(missing).toEqual([]);
  });
});
