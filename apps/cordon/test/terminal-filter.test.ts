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
    ['the answerback inside of a sequence', '\x1b[\x05c'],
    ['a title of tmux', '\x1bkroot@host\x1b\\'],
    ['a page for the printer', '\x1b[5i'],
    ['a question for the keyboard mode', '\x1b[?u'],
    ['a question for the colours', '\x1b[#R'],
    ['a locator that reports', "\x1b[1'|"],
    ['the clipboard in C1 controls of UTF-8', '\xc2\x9d52;c;ZXZpbA==\x1b\\'],
    ['a request for the cursor position in C1 controls of UTF-8', '\xc2\x9b6n'],
    ['the clipboard in C1 controls', '\x9d52;c;ZXZpbA==\x07'],
    ['a device control string in C1 controls of UTF-8', '\xc2\x90$q"p\x1b\\'],
  ])('drops %s', (_what, sequence) => {
    expect(filtered(`before${sequence}after`)).toBe('beforeafter');
  });

  it.each([
    // Each turn that a terminal takes inside of a sequence.
    ['ESC behind an intermediate byte', '\x1b(\x1b]52;c;QQ==\x07'],
    ['ESC behind a parameter', '\x1b[1\x1b]52;c;QQ==\x07'],
    ['a line end behind ESC', '\x1b\n]52;c;QQ==\x07'],
    ['a line end between intermediate bytes', '\x1b(\n\x1b\n]52;c;QQ==\x07'],
    ['DEL behind ESC', '\x1b\x7f]52;c;QQ==\x07'],
    ['CAN in a sequence', '\x1b[1\x18\x1b]52;c;QQ==\x07'],
    ['a C1 control behind a parameter', '\x1b[1\xc2\x9d0;m title\x07'],
    ['a C1 control behind ESC', '\x1b\xc2\x9d0;title\x07'],
    ['a C1 control behind an unfinished character', '\xe2\xc2\x9d0;title\x07'],
    ['a C1 control behind a first byte', '\xc2\xc2\x9d0;title\x07'],
    ['ESC behind a first byte', '\xc2\x1b]0;title\x07'],
  ])('a string begins nowhere: %s', (_what, text) => {
    expect(filtered(text)).not.toMatch(/52|title/);
  });

  it('lets through what a sequence was interrupted for', () => {
    expect(filtered('a\x1b[3\r\n1mb')).toBe('a\r\n\x1b[31mb');
    expect(filtered('a\x1b[3\x18b')).toBe('ab');
    expect(filtered('\xc3\x9b\xe2\x80\x9d\xf0\x9f\x98\x80 \xc2\xa7')).toBe(
      '\xc3\x9b\xe2\x80\x9d\xf0\x9f\x98\x80 \xc2\xa7',
    );
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

  it('never lets a terminal begin a string or answer, whatever the bytes', () => {
    const telling = [
      0x1b, 0x1b, 0x5b, 0x5d, 0x50, 0x6b, 0x28, 0x24, 0x3f, 0x31, 0x3b, 0x63, 0x6e, 0x6d, 0x71, 0x05, 0x07,
    ];
    const byte = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.constantFrom(...telling, 0x0a, 0x18, 0x1a, 0x7f, 0xc2, 0xc2, 0x9b, 0x9d, 0x90, 0xe2, 0x5c),
      },
      { weight: 1, arbitrary: fc.nat(255) },
    );
    const chunk = fc.array(byte, { maxLength: 12 }).map((bytes) => Uint8Array.from(bytes));
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 5 }), (chunks) => {
        const filter = new TerminalFilter();
        const out = Buffer.concat(chunks.map((each) => filter.push(each)));
        expect(actsOf(out), out.toString('latin1')).toEqual([]);
      }),
      { numRuns: 20_000 },
    );
  });
});

/**
 * What a terminal in UTF-8 would do beyond its screen: the parser of the VT500 series (https://vt100.net/emu/dec_ansi_parser),
 * over code points, as XTerm reads C1 controls. Written apart from the filter, so that an error in one shows in the other.
 */
function actsOf(bytes: Buffer): string[] {
  const acts: string[] = [];
  let state: 'ground' | 'escape' | 'intermediate' | 'csi' = 'ground';
  let sequence = '';
  for (const character of new TextDecoder().decode(bytes)) {
    const code = character.codePointAt(0) ?? 0;
    const seven = code >= 0x80 && code < 0xa0 ? String.fromCodePoint(code - 0x40) : null;
    if (character === '\x05') acts.push('ENQ');
    if (seven !== null || character === '\x1b') [state, sequence] = ['escape', ''];
    if (character === '\x18' || character === '\x1a') state = 'ground';
    if (character === '\x1b' || (code < 0x20 && seven === null) || code === 0x7f || state === 'ground') continue;
    const final = seven ?? character;
    sequence += final;
    if (state === 'escape' && final === '[') state = 'csi';
    else if (state === 'escape' && /[PX\]^_k]/.test(final)) acts.push(`string ${final}`);
    else if (state === 'csi' ? /[@-~]/.test(final) : !/[ -/]/.test(final)) {
      if (state === 'csi' && /^\[(.*[cntxy]|\?.*u|>.*q|.*\$.*)$/.test(sequence)) acts.push(`answer ${sequence}`);
      if (state === 'escape' && /[Zc]/.test(final)) acts.push(`escape ${final}`);
      state = 'ground';
    } else if (state === 'escape') state = 'intermediate';
  }
  return acts;
}
