import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { cordonFile, loadProfiles, parseProfile, readYaml } from '../src/index.ts';
import { createEnvironment } from '../src/sessions/environment.ts';
import { resolveProgram } from '../src/sessions/program.ts';
import { diskFiles, Harness, testProfiles } from './harness.ts';

const profiles = path.resolve(import.meta.dirname, '../../../profiles');

describe('a YAML file', () => {
  test('whatever it is, is a value that the schema made or problems that each name a place', () => {
    const words = fc.constantFrom(
      'grants',
      'denies',
      'allow',
      ':',
      '- ',
      '\n',
      '  ',
      '&a',
      '*a',
      '<<',
      '!x',
      '{',
      '}',
      '[',
      ']',
      '"',
      'env',
      '0x1',
      '~',
      '\t',
      '#',
    );
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(words, { maxLength: 40 }).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(text, (source) => {
        const read = readYaml('f.yaml', source, cordonFile);
        if (read.ok) {
          expect(cordonFile.safeParse(parse(source) ?? {}).success).toBe(true);
          return;
        }
        expect(read.problems.length).toBeGreaterThan(0);
        for (const problem of read.problems) {
          expect(problem.line).toBeGreaterThan(0);
          expect(problem.column).toBeGreaterThan(0);
          expect(problem.line ?? 0).toBeLessThanOrEqual(source.split(/\r\n|\r|\n/).length + 1);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('says one thing to every reader: no key twice, no anchor, no tag, no second document', () => {
    const one = 'grants: [{ allow: a.test }]\n';
    expect(readYaml('f.yaml', `version: 1\n${one}`, cordonFile).ok).toBe(true);
    for (const text of [
      `version: 1\n${one}grants: [{ allow: b.test }]\n`,
      'version: 1\ngrants: [{ allow: a.test, allow: b.test }]\n',
      'version: 1\ngrants: &all [{ allow: a.test }]\n',
      'version: 1\ngrants: [{ allow: !secret a.test }]\n',
      `version: 1\n---\n${one}`,
    ]) {
      const read = readYaml('f.yaml', text, cordonFile);
      expect(read.ok ? text : read.problems[0]?.code).toBe('yaml-invalid');
    }
  });

  test('of any size over the cap is refused unread, and so are bombs of aliases', () => {
    const large = readYaml('f.yaml', `# ${'x'.repeat(300_000)}`, cordonFile);
    expect(large).toMatchObject({ ok: false, problems: [{ code: 'file-too-large' }] });
    const bomb = `a: &a [x,x]\n${'bcdefgh'
      .split('')
      .map((letter, i) => `${letter}: &${letter} [${`*${'abcdefgh'[i]},`.repeat(9)}]`)
      .join('\n')}\n`;
    expect(readYaml('f.yaml', bomb, cordonFile).ok).toBe(false);
  });
});

describe('profiles', () => {
  test('those that ship are good, and each is found by its commands', async () => {
    const loaded = await loadProfiles(profiles, diskFiles);
    expect(loaded.names).toEqual(expect.arrayContaining(['claude', 'codex', 'gemini', 'generic', 'opencode', 'pi']));
    for (const name of ['claude', 'codex', 'gemini', 'opencode', 'pi'])
      expect(loaded.guess(`/usr/local/bin/${name}`).profile.name).toBe(name);
    expect(loaded.guess('codex').profile.name).toBe('codex');
    expect(loaded.guess('/home/me/claude/other').profile.name).toBe('generic');
    for (const name of readdirSync(profiles))
      expect(parseProfile(name, readFileSync(path.join(profiles, name), 'utf8')).ok).toBe(true);
  });

  test('a misspelt key, another name or a path that climbs is an error with its place', () => {
    const good = 'version: 1\nname: x\ndescription: X\n';
    const cases: Array<[string, number, number]> = [
      [`${good}protectedPath: []\n`, 4, 1],
      [`${good}files:\n  - path: ../x\n    content: y\n`, 5, 11],
      [`${good}files:\n  - path: ~/../../x\n    content: y\n`, 5, 11],
      [`${good}readOnly: [/a/../etc]\n`, 4, 12],
      [`${good}env: { "A=B": c }\n`, 4, 8],
      [`${good}resources: { memory: 4 }\n`, 4, 22],
      [`${good}grants:\n  - { allow: a.example.com, clearence: private }\n`, 5, 29],
      [good.replace('name: x', 'name: y'), 2, 1],
    ];
    for (const [text, line, column] of cases) {
      const parsed = parseProfile('x.yaml', text);
      expect(parsed.ok, text).toBe(false);
      if (!parsed.ok) expect([parsed.problems[0]?.line, parsed.problems[0]?.column], text).toEqual([line, column]);
    }
    expect(parseProfile('x.yaml', good).ok).toBe(true);
    expect(testProfiles().names).toEqual(['generic', 'robot']);
  });
});

describe('the environment of an agent', () => {
  const base = {
    session: 'ses_1',
    workspace: '/w',
    terminal: false,
    programFolders: ['/opt/a'],
    secrets: [],
    profile: {},
    person: {},
  };

  test("is ours, then the profile's, then the person's, and nothing of the host's", () => {
    const home = '$' + '{HOME}';
    const other = '$' + '{PATH}';
    const env = createEnvironment({
      ...base,
      profile: { A: `${home}/x ${other}`, TERM: 'from-profile' },
      person: { A: `${home}` },
    });
    expect(env['A']).toBe(home);
    expect(env['TERM']).toBe('from-profile');
    expect(env['PATH']?.startsWith('/opt/a:')).toBe(true);
    expect(createEnvironment({ ...base, profile: { A: `${home}/x ${other}` } })['A']).toBe(`/home/agent/x ${other}`);
    for (const name of Object.keys(process.env)) {
      if (
        !['HOME', 'PATH', 'USER', 'LOGNAME', 'SHELL', 'PWD', 'LANG', 'TERM', 'TMPDIR'].includes(name) &&
        !/proxy|_CA_|SSL|GIT_|CERT|NODE_/i.test(name)
      ) {
        expect(env[name], name).toBeUndefined();
      }
    }
  });

  test('names the placeholder of a Basic secret to git, for its hosts only', () => {
    const secret = {
      name: 'forge',
      to: ['https://git.example.com'],
      at: { basic: 'password' as const },
      methods: null,
      paths: null,
      require: false,
    };
    const env = createEnvironment({ ...base, secrets: [secret] });
    const count = Number(env['GIT_CONFIG_COUNT']);
    const keys = Array.from({ length: count }, (_, i) => env[`GIT_CONFIG_KEY_${i}`]);
    expect(keys).toContain('credential.https://git.example.com.helper');
    expect(env[`GIT_CONFIG_VALUE_${count - 1}`]).toContain('cordon:secret:forge');
  });
});

describe('a program', () => {
  test('of a package brings the package, its folder and its interpreter, and nothing of the home around it', async () => {
    await using harness = await Harness.start();
    const { mkdirSync, symlinkSync, writeFileSync, chmodSync } = await import('node:fs');
    const root = path.join(harness.folder, 'npm');
    const modules = path.join(root, 'node_modules');
    mkdirSync(path.join(modules, '.bin'), { recursive: true });
    mkdirSync(path.join(modules, 'tool/bin'), { recursive: true });
    const real = path.join(modules, 'tool/bin/cli.js');
    writeFileSync(real, '#!/usr/bin/env -S no-such-node-here --flag\n');
    chmodSync(real, 0o755);
    symlinkSync('../tool/bin/cli.js', path.join(modules, '.bin/tool'));
    const command = path.join(modules, '.bin/tool');
    await expect(resolveProgram(command, '/w', '/opt/node', diskFiles)).rejects.toMatchObject({
      code: 'command-not-found',
    });
    writeFileSync(real, '#!/usr/bin/env node\n');
    const found = await resolveProgram(command, '/w', '/opt/node/bin/node', diskFiles);
    expect(found.path).toBe(command);
    expect(found.readOnly).toContain(modules);
    expect(found.folders).toContain(path.join(modules, '.bin'));
    expect(found.readOnly.every((shown) => shown.startsWith(modules) || shown.includes('node'))).toBe(true);
    expect(found.readOnly).not.toContain(harness.folder);
    // A link elsewhere is run as what it points to, so that the script finds its own package.
    symlinkSync(real, path.join(harness.folder, 'bin/linked'));
    const linked = await resolveProgram(path.join(harness.folder, 'bin/linked'), '/w', '/opt/node/bin/node', diskFiles);
    expect(linked.path).toBe(real);
    expect(linked.readOnly).toContain(modules);
    expect(linked.readOnly).not.toContain(path.join(harness.folder, 'bin/linked'));
  });

  test('that is alone in a home is shown alone', async () => {
    await using harness = await Harness.start();
    const file = harness.program('alone');
    const found = await resolveProgram(file, '/w', '/opt/node', diskFiles);
    expect(found.readOnly).toEqual([file]);
    expect(found.folders).toEqual([]);
    expect((await resolveProgram('/bin/sh', '/w', '/opt/node', diskFiles)).readOnly).toEqual([]);
    expect((await resolveProgram('sh', '/w', '/opt/node', diskFiles)).path).toMatch(/\/sh$/);
    for (const bad of ['', '/etc', '/etc/passwd', 'no-such-program-at-all', 'a\0b', '/dev/null']) {
      await expect(resolveProgram(bad, '/w', '/opt/node', diskFiles), bad).rejects.toMatchObject({
        code: 'command-not-found',
      });
    }
  });
});
