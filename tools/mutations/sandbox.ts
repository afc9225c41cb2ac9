import { type Mutation, mutationsOf } from './mutation.ts';

const test = (name: string): string => `packages/sandbox/test/${name}.test.ts`;
const src = (name: string): string => `packages/sandbox/src/${name}.ts`;

export const sandboxMutations: readonly Mutation[] = [
  ...mutationsOf(
    src('workspace/symlink'),
    [test('workspace/path')],
    [
      ['an absolute target', "if (relative.startsWith('/')) return", "if (relative === '') return"],
      ['a target that climbs out', 'else if (--depth < 0) return', 'else if (--depth < -99) return'],
      ['a target that climbs after it descended', 'else if (descended) return', 'else if (depth < -99) return'],
    ],
  ),
  ...mutationsOf(
    src('workspace/path'),
    [test('workspace/path')],
    [
      ['dot segments', "part === '' || part === '.' || part === '..'", "part === '' || part === '.'"],
      ['empty segments', "part === '' || part === '.' || part === '..'", "part === '.' || part === '..'"],
      ['NUL', "|| raw.includes('\\0') ", ''],
      ['bidirectional controls in a name', '\\u202a-\\u202e\\u2066-\\u2069\\\\]/gu', '\\\\]/gu'],
    ],
  ),
];
