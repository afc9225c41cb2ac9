import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { comparePaths, parsePathText, parseRawPath, pathToText, type RawPath } from '../../src/workspace/path.ts';
import { isProtectedPath } from '../../src/workspace/protected.ts';
import { checkTarget } from '../../src/workspace/symlink.ts';
import { parseTree } from '../../src/workspace/tree.ts';

const name = fc
  .uint8Array({ minLength: 1, maxLength: 40 })
  .map((bytes) => Buffer.from(bytes).toString('latin1').replaceAll('\0', 'x').replaceAll('/', 'y'))
  .filter((text) => text !== '.' && text !== '..');
const rawPath = fc.array(name, { minLength: 1, maxLength: 6 }).map((parts) => parts.join('/') as RawPath);

describe('paths', () => {
  test('every path survives being written and read', () => {
    fc.assert(fc.property(rawPath, (path) => parsePathText(pathToText(path)) === path));
  });

  test('text of a path never holds a control character or a lone surrogate', () => {
    fc.assert(
      fc.property(
        rawPath,
        (path) => !/[\p{Cc}\u202a-\u202e]/u.test(pathToText(path)) && pathToText(path).isWellFormed(),
      ),
    );
  });

  test('controls that turn the direction of text are written as bytes', () => {
    for (const control of ['\u202a', '\u202e', '\u2066', '\u2069', '\u200f']) {
      const raw = Buffer.from(`a${control}b`).toString('latin1') as RawPath;
      expect(pathToText(raw)).toMatch(/^a(\\x[0-9a-f]{2}){3}b$/);
    }
  });

  test('two paths never share a text', () => {
    fc.assert(fc.property(rawPath, rawPath, (a, b) => a === b || pathToText(a) !== pathToText(b)));
  });

  test.each(['', '/etc', 'a//b', 'a/', './a', 'a/..', '../a', 'a/../b', 'a\\x00b', '\\x2e\\x2e/a', 'a\\x2f\\x2e\\x2e'])(
    '%s is refused',
    (text) => {
      expect(() => parsePathText(text)).toThrow(expect.objectContaining({ code: 'path-invalid' }));
    },
  );

  test('folders come before what is in them, whatever the neighbours are called', () => {
    const sorted = ['a/b', 'a-b', 'a', 'a/b/c', 'a.b'].map(parseRawPath).sort(comparePaths);
    expect(sorted).toEqual(['a', 'a/b', 'a/b/c', 'a-b', 'a.b']);
  });
});

describe('protected table', () => {
  test.each([
    'src/index.ts',
    'README.md',
    'package.json',
    '.gitignore',
    '.github/workflows/ci.yml',
    'git/config',
    '.git/HEAD',
    'claude/x',
    'x.vscode',
  ])('%s is free', (path) => {
    expect(isProtectedPath(path)).toBe(false);
  });

  test('depth does not matter', () => {
    fc.assert(
      fc.property(fc.array(name, { maxLength: 5 }), (above) =>
        isProtectedPath([...above, '.git', 'hooks', 'x'].join('/')),
      ),
    );
  });
});

describe('symlink targets', () => {
  /** Resolves as the kernel would when no component is a link. */
  function leaves(path: string, target: string): boolean {
    const parts = path.split('/').slice(0, -1);
    for (const part of target.split('/')) {
      if (part === '' || part === '.') continue;
      if (part !== '..') parts.push(part);
      else if (parts.pop() === undefined) return true;
    }
    return false;
  }

  test('none that leaves the workspace passes', () => {
    const part = fc.constantFrom('..', '.', 'a', 'b', '');
    fc.assert(
      fc.property(rawPath, fc.array(part, { minLength: 1, maxLength: 8 }), (path, parts) => {
        const target = parts.join('/');
        return (
          checkTarget(path, Buffer.from(target), '/work/space') !== null ||
          (!target.startsWith('/') && !leaves(path, target))
        );
      }),
    );
  });

  test('a target that climbs after it descended is refused: what it descended into may itself be a link', () => {
    for (const target of ['s/../x', 's/../../x', './s/..']) {
      expect(checkTarget('a/b/l' as RawPath, Buffer.from(target), '/work/space'), target).not.toBeNull();
    }
    expect(checkTarget('a/b/l' as RawPath, Buffer.from('../s/x'), '/work/space')).toBeNull();
  });

  test('a name that only begins like the workspace is outside', () => {
    expect(checkTarget('l' as RawPath, Buffer.from('/work/space/x'), '/work/space')).toBeNull();
    expect(checkTarget('l' as RawPath, Buffer.from('/work/space2/x'), '/work/space')).not.toBeNull();
    expect(checkTarget('l' as RawPath, Buffer.from('/work/space/../x'), '/work/space')).not.toBeNull();
  });
});

describe('records of the native walk', () => {
  test('no bytes but a complete walk are believed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        expect(() => parseTree(Buffer.from(bytes))).toThrow();
      }),
    );
  });
});
