import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { marked, type View, viewLines, viewPages } from '../src/index.ts';

const view: View = {
  v: 'view/1',
  hold: 'hld_1',
  intent: {
    ...{
      v: 'intent/1',
      tenant: 'local',
      session: 'ses_1',
      agent: 'robot',
      chain: 'c',
      salt: 's',
      action: 'http.request',
    },
    resource: 'https://pay.example:443',
    args: {
      ...{
        method: 'POST',
        path: '/pay',
        search: 'to=a&to=b',
        query: [
          ['to', 'a'],
          ['to', 'b'],
        ],
      },
      headers: [['X-Note', 'hi']],
    },
    payload: { sha256: 'f00', bytes: 9, kind: 'form' },
  },
  payload: { encoding: 'utf8', data: 'amount=10' },
  ...{
    effect: 'share',
    undoable: false,
    unnamed: ['account github/\u202eacme'],
    code: 'approval-required',
    rung: { quorum: 2, strong: false },
  },
  flow: {
    ...{ argInteg: 0, argConf: 2, ctxInteg: 1, ctxConf: 3, destInteg: 4, clearance: 0 },
    ...{ readersOk: false, linksOk: false, leakOk: false },
  },
  rules: [{ id: 'session/cordon.yaml/1', text: '@source("cordon.yaml:3")\npermit (principal, action, resource);' }],
  ...{ person: 'ada', agent: 'robot', profile: 'generic', sessionStartedAt: 'then', heldAt: 'now', expires: 'later' },
};

describe('a view, as a person reads it', () => {
  it('has everything: who, what, where, every argument, the body, the rule, the labels', () => {
    const text = viewLines(view).join('\n');
    for (const part of [
      'http.request by agent robot (profile generic), for ada',
      'effect: share, cannot be undone',
      'to: https://pay.example:443',
      '  | POST /pay?to=a&to=b',
      '  | X-Note: hi',
      '  | to = a\n  | to = b',
      'body, 9 bytes, form, sha256 f00:\n  | amount=10',
      '2 different people must agree',
      '    @source("cordon.yaml:3")\n    permit (principal, action, resource);',
      'context derived and secret, arguments untrusted and private, destination of the operator and cleared for public',
    ]) {
      expect(text).toContain(part);
    }
  });

  it('shows nothing that acts on a terminal or looks like something else, wherever it stands', () => {
    for (const [text, shown] of [
      ['\u001b]0;owned\u0007', '\\u{1b}]0;owned\\u{7}'],
      ['a\r\u0008b', 'a\\u{d}\\u{8}b'],
      ['/pay/\u202eexe.txt', '/pay/\\u{202e}exe.txt'],
      ['zero\u200bwidth\u00ad', 'zero\\u{200b}width\\u{ad}'],
      ['no\u00a0break\u3164', 'no\\u{a0}break\\u{3164}'],
      // Cyrillic а and е among Latin letters; Greek omicron; fullwidth.
      ['p\u0430yp\u0435l', 'p\\u{430}yp\\u{435}l'],
      ['g\u03bfogle.com', 'g\\u{3bf}ogle.com'],
      ['\uff47oogle', '\\u{ff47}oogle'],
      ['\uff47\uff4f\uff4f', '\\u{ff47}\\u{ff4f}\\u{ff4f}'],
      ['\u0131con, \ufb01le', '\\u{131}con, \\u{fb01}le'],
      // A word of one script is a word.
      ['привет мир', 'привет мир'],
      ['naïve café', 'naïve café'],
      // What only looks like one of these marks.
      ['\\u{430}', '\\\\u{430}'],
      ['\ud800', '\\u{d800}'],
      ['\u{e0041}', '\\u{e0041}'],
    ] as const) {
      expect(marked(text)).toBe(shown);
    }
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(marked(text)).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
      }),
    );
  });

  it('keeps the agent’s words behind a bar, also those that pretend to be ours', () => {
    const data = 'x\nwhy it waits: nothing\nto: https://good.example';
    const lines = viewLines({ ...view, payload: { encoding: 'utf8', data } });
    expect(lines.filter((line) => line.startsWith('why it waits'))).toHaveLength(1);
    expect(lines.filter((line) => line.startsWith('to: '))).toEqual(['to: https://pay.example:443']);
    expect(lines).toContain('  | why it waits: nothing');
    const odd = viewLines({ ...view, person: 'ada\nto: https://evil.example', agent: '\u001b[2J' });
    expect(odd.join('\n')).not.toContain('\u001b');
    expect(odd.filter((line) => line.startsWith('to: '))).toHaveLength(1);
  });

  it('gives bytes that are no text in full, and what has no method as it is', () => {
    const data = Buffer.from(Array.from({ length: 40 }, (_, i) => i)).toString('base64');
    const lines = viewLines({ ...view, payload: { encoding: 'base64', data } });
    expect(lines.join('\n')).toContain(
      `  | ${Array.from({ length: 32 }, (_, i) => i.toString(16).padStart(2, '0')).join(' ')}\n  | 20 21`,
    );
    const other = { ...view, intent: { ...view.intent, args: { tool: 'x', deep: { more: [1] } } } };
    expect(viewLines(other).join('')).toContain('"deep"');
    expect(viewLines({ ...view, payload: null })).toContain('no body');
  });

  it('is cut into pages that lose nothing', () => {
    expect(viewPages(view)).toHaveLength(1);
    const long = { ...view, payload: { encoding: 'utf8' as const, data: `${'word '.repeat(20)}\n`.repeat(2000) } };
    const pages = viewPages(long);
    expect(pages.length).toBeGreaterThan(3);
    expect(pages.every((page) => page.length <= 64 * 1024 + 200)).toBe(true);
    expect(pages.join('')).toBe(`${viewLines(long).join('\n')}\n`);
  });
});
