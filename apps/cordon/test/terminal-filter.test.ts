import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TerminalFilter } from '../src/terminal-filter.ts';

const filtered = (text: string): string => {
  const filter = new TerminalFilter();
  return Buffer.from(filter.push(Buffer.from(text, 'latin1'))).toString('latin1');
};

describe('the terminal filter', () => {
  it.each([
    ['a colour', '\x1b[31mred\x1b[0m'],
    ['cursor movement and erasing', '\x1b[2J\x1b[1;1H\x1b[K'],
    ['the alternate screen and bracketed paste', '\x1b[?1049h\x1b[?2004h'],
    ['a character set', '\x1b(B'],
    ['save and restore of the cursor', '\x1b7\x1b8'],
    ['plain text with tabs and line ends', 'a\tb\r\nc'],
    ['UTF-8 bytes', '\xc3\xa4\xe2\x82\xac'],
  ])('passes %s', (_what, text) => {
    expect(filtered(text)).toBe(text);
  });

  it.each([
    ['the clipboard (OSC 52)', '\x1b]52;c;ZXZpbA==\x07'],
    ['the clipboard ended by ST', '\x1b]52;c;ZXZpbA==\x1b\\'],
    ['the title', '\x1b]0;root@host\x07'],
    ['a hyperlink', '\x1b]8;;https://evil.example\x1b\\'],
    ['a device control string', '\x1bP$q"p\x1b\\'],
    ['an application program command', '\x1b_Gf=100\x1b\\'],
    ['a privacy message', '\x1b^x\x1b\\'],
    ['a request for the terminal identity', '\x1b[c'],
    ['a request for the cursor position', '\x1b[6n'],
    ['the title stack', '\x1b[22;0t'],
    ['a mode report', '\x1b[?2026$p'],
    ['a version report', '\x1b[>0q'],
    ['the answerback', '\x05'],
    ['a full reset', '\x1bc'],
  ])('drops %s', (_what, sequence) => {
    expect(filtered(`before${sequence}after`)).toBe('beforeafter');
  });

  it('gives the same for every way to cut the bytes', () => {
    const text = 'a\x1b[31mb\x1b]52;c;QQ==\x07c\x1b[6nd\x1bP1\x1b\\e';
    for (let cut = 0; cut <= text.length; cut++) {
      const filter = new TerminalFilter();
      const parts = [text.slice(0, cut), text.slice(cut)].map((part) =>
        Buffer.from(filter.push(Buffer.from(part, 'latin1'))),
      );
      expect(Buffer.concat(parts).toString('latin1'), `cut at ${cut}`).toBe('a\x1b[31mbcde');
    }
  });

  it('never lets an OSC or DCS introducer through, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }), (chunks) => {
        const filter = new TerminalFilter();
        const out = Buffer.concat(chunks.map((chunk) => Buffer.from(filter.push(chunk)))).toString('latin1');
        for (const introducer of ['\x1b]', '\x1bP', '\x1bX', '\x1b^', '\x1b_']) expect(out).not.toContain(introducer);
      }),
      { numRuns: 2000 },
    );
  });
});
