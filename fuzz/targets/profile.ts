import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { readYaml } from '../../packages/control-plane/src/config/document.ts';
import { parseProfile } from '../../packages/control-plane/src/profile/load.ts';
import { must, type Target } from '../engine/target.ts';

const folder = path.resolve(import.meta.dirname, '../../profiles');
/** A schema that lets everything through: what stands in the file, before any meaning. */
const anything = { safeParse: (data: unknown) => ({ success: true, data }) } as unknown as Parameters<
  typeof readYaml<unknown>
>[2];

const required = 'version: 1\nname: x\ndescription: d\n';

export const target: Target = {
  name: 'profile',
  about: 'profiles of agents: strict YAML, then the schema',
  oracle:
    'refused with places that exist, or read: then no path climbs, every number is in its range, nothing stands in the text that is not in the value, and the same value as JSON is the same profile',
  lengthMax: 2048,
  shortRuns: 1500,
  dictionary: [
    'version: 1\n',
    'name: x\n',
    'description: d\n',
    'env:\n  A: b\n',
    'files:\n  - { path: ~/a, content: b, mode: "0600" }\n',
    '..',
    '/../',
    'readOnly: [/usr]',
    'hostNames: [a.b]',
    '&a ',
    '*a',
    '<<: *a',
    '!!binary ',
    '? ',
    '---\n',
    '|\n',
    '"\\u0000"',
    '~',
    '0x10',
    '1_000',
    'yes',
    '.inf',
    'memory: 9GiB',
  ],
  seeds: () => [
    Buffer.from('files: [{ path: ~/a, content: b }]'),
    // Refused today; random changes come to such a path too seldom.
    Buffer.from('files: [{ path: ~/../a, content: b }]'),
    Buffer.from('readOnly: [/usr/../etc]'),
    Buffer.from('protectedPaths: [../x]'),
    Buffer.from('readOnly: [/usr]\nprotectedPaths: [.a]'),
    Buffer.from(
      'version: 1\nname: x\ndescription: d\nmatch: [x]\nresources: { cpus: 1, memory: 1GiB }\nfiles:\n  - { path: ~/a, content: b }\n',
    ),
    ...readdirSync(folder)
      .filter((name) => name.endsWith('.yaml'))
      .map((name) => Buffer.from(readFileSync(path.join(folder, name), 'utf8').replace(/^name: .*$/m, 'name: x'))),
  ],
  run(input, feedback) {
    const rest = Buffer.from(input).toString('utf8');
    // What every profile must say is said for those that say only what is of interest.
    const words = rest.startsWith('version') ? rest : `${required}${rest}`;
    const read = parseProfile('x.yaml', words);
    if (!read.ok) {
      feedback.note(read.problems[0]?.code ?? '');
      const lines = words.split('\n').length;
      must(read.problems.length > 0, 'refused without a problem');
      for (const { line } of read.problems)
        must(line === null || (line >= 1 && line <= lines + 1), 'no such line', line);
      return;
    }
    feedback.note('profile');
    const { profile } = read.loaded;
    const named = [...profile.files.map((file) => file.path), ...profile.readOnly, ...profile.protectedPaths];
    must(!named.some((one) => one.split('/').includes('..') || one.includes('\0')), 'a path that climbs', named);
    must(
      profile.protectedPaths.every((one) => !one.startsWith('/')),
      'a path outside the workspace',
      named,
    );
    for (const [name, value] of Object.entries(profile.resources)) {
      must(value === undefined || (Number.isSafeInteger(value) && value > 0), 'no amount', name, value);
    }
    must(
      Object.keys(profile.env).every((name) => /^[A-Za-z_]\w*$/.test(name)),
      'no variable',
      profile.env,
    );
    const raw = readYaml('x.yaml', words, anything);
    must(raw.ok, 'read, and then not');
    const again = parseProfile('x.yaml', JSON.stringify(raw.value));
    must(again.ok && isDeepStrictEqual(again.loaded.profile, profile), 'as JSON another profile', raw.value, again);
  },
};
