import { describe, expect, it } from 'vitest';
import { painter, table, visible } from '../src/text.ts';

describe('text for the operator', () => {
  it.each([
    ['an escape sequence', '\u001b[2J', '\\u{1b}[2J'],
    ['a line end (a forged log line)', 'a\nb', 'a\\u{a}b'],
    ['a right-to-left override', 'a\u202eb', 'a\\u{202e}b'],
    ['a zero-width joiner', 'a\u200db', 'a\\u{200d}b'],
    ['a C1 control', 'a\u009bb', 'a\\u{9b}b'],
    ['a tag character', 'a\u{e0041}', 'a\\u{e0041}'],
  ])('shows %s instead of obeying it', (_what, text, shown) => {
    expect(visible(text)).toBe(shown);
  });

  it('leaves ordinary text of any language as it is', () => {
    expect(visible('naïve 日本語 → ok')).toBe('naïve 日本語 → ok');
  });

  it('keeps a table one line a row, whatever is in a cell', () => {
    const text = table(['A', 'B'], [['x\ny', 'z']], painter(false));
    expect(text.split('\n')).toHaveLength(2);
  });
});
