import { PassThrough } from 'node:stream';
import type { SessionFigures, Stats } from '@cordon/protocol';
import { describe, expect, it } from 'vitest';
import type { Surroundings } from '../src/surroundings.ts';
import { painter } from '../src/text.ts';
import { figuresOf, sorted, sortKeys } from '../src/top/figures.ts';
import { frame } from '../src/top/frame.ts';
import { Screen } from '../src/top/screen.ts';

const plain = painter(false);
const session = (id: string, change: Partial<SessionFigures> = {}): SessionFigures => ({
  session: `ses_0000${id}`,
  agent: 'claude',
  state: 'running',
  startedAt: '2026-11-21T14:00:00.000Z',
  processes: 3,
  memoryBytes: 1024 ** 2,
  cpuMs: 1000,
  decisions: { allow: 10, deny: 2 },
  bytesIn: 4096,
  bytesOut: 100,
  inFlight: 1,
  lastDenial: null,
  ...change,
});
const stats = (second: number, sessions: readonly SessionFigures[], change: Partial<Stats> = {}): Stats => ({
  at: `2026-11-21T14:10:0${second}.000Z`,
  sessions: [...sessions],
  gateways: [{ pid: 7, live: true, sockets: 6, inFlight: 1 }],
  ledger: { size: 99, lag: 0, problems: [] },
  alarms: [],
  ...change,
});

describe('figures', () => {
  it('are rates between two looks, and their sum', () => {
    const before = stats(0, [session('a'), session('b')]);
    const now = stats(2, [
      session('a', { cpuMs: 2000, bytesIn: 6096, decisions: { allow: 14, deny: 3 } }),
      session('b', { bytesIn: 0, memoryBytes: null, cpuMs: null }),
      session('c'),
    ]);
    const { sessions, totals } = figuresOf(before, now);
    expect(sessions[0]?.rates).toEqual({ cpuPercent: 50, allow: 2, deny: 0.5, bytesIn: 1000, bytesOut: 0 });
    expect(sessions[0]?.ageMs).toBe(602_000);
    // Counted anew by a new gateway, unknown now, and not there before.
    expect(sessions[1]?.rates).toMatchObject({ bytesIn: 0, cpuPercent: null });
    expect(sessions[2]?.rates.allow).toBeNull();
    expect(totals).toMatchObject({ sessions: 3, processes: 9, memoryBytes: 2 * 1024 ** 2, inFlight: 3 });
    expect(totals.rates).toMatchObject({ cpuPercent: 50, bytesIn: 1000 });
    expect(figuresOf(null, now).totals.rates).toMatchObject({ cpuPercent: null, allow: null });
  });

  it('are sorted by each key, equal ones by age', () => {
    const rows = figuresOf(
      stats(0, [session('a'), session('b'), session('c'), session('d')]),
      stats(1, [
        session('a', { decisions: { allow: 0, deny: 9 } }),
        session('b', { bytesOut: 10_000 }),
        session('c', { cpuMs: 1900 }),
        session('d', { memoryBytes: 2 ** 30, startedAt: '2026-11-21T13:00:00.000Z' }),
      ]),
    ).sessions;
    const order = (key: (typeof sortKeys)[number]) => sorted(rows, key).map(({ session: id }) => id.at(-1));
    expect(Object.fromEntries(sortKeys.map((key) => [key, order(key).join('')]))).toEqual({
      denied: 'adbc',
      bytes: 'bdac',
      cpu: 'cdab',
      memory: 'dabc',
      age: 'dabc',
    });
  });
});

describe('the table', () => {
  const denied = {
    at: '2026-11-21T14:09:59.000Z',
    attempt: 'att_1',
    code: 'no-grant',
    summary: 'GET https://evil.test/',
  };
  const options = { sort: 'denied', size: null, paint: plain, note: '' } as const;

  it('shows each session, the totals, the gateways and the ledger', () => {
    const lines = frame(figuresOf(stats(0, [session('a')]), stats(1, [session('a', { lastDenial: denied })])), options);
    expect(lines[0]).toBe(
      'cordon top · 2026-11-21 14:10:01 UTC · gateways: 1 live, 6 sockets · ledger: 99 entries, 0 behind',
    );
    expect(lines[2]).toMatch(/^SESSION +AGENT +STATE +AGE +PROC +CPU% +MEM .*LAST DENIAL$/);
    expect(lines[3]).toContain('14:09:59 no-grant GET https://evil.test/');
    expect(lines[3]).toMatch(/es_0000a|s_0000a|_0000a/);
    expect(lines[4]).toMatch(/^1 session .* 3 +0\.0 1\.0 MiB +10 +0\.0 +2 +0\.0/);
  });

  it('says in the first line what is wrong with gateways and journals', () => {
    const first = (change: Partial<Stats>) =>
      frame(figuresOf(null, stats(1, [session('a')], change)), options)
        .slice(0, 2)
        .join('\n');
    expect(first({ gateways: [] })).toContain('none connected');
    expect(first({ gateways: [{ pid: 1, live: false, sockets: 0, inFlight: 0 }] })).toContain(
      '1 of 1 without a live lease',
    );
    expect(first({ gateways: [{ pid: 1, live: null, sockets: 0, inFlight: 0 }] })).toContain(
      '1 of 1 without a live lease',
    );
    expect(first({ ledger: { size: 1, lag: 40, problems: ['disk full\u001b[2J'] } })).toMatch(
      /40 behind\njournal: disk full\\u\{1b\}/,
    );
  });

  it.each([
    [200, 50],
    [40, 8],
    [10, 3],
    [1, 1],
  ])('fits a terminal of %d columns and %d rows', (cols, rows) => {
    const many = Array.from({ length: 30 }, (_, i) => session(`s${i}`, { lastDenial: denied }));
    const lines = frame(figuresOf(null, stats(1, many)), { ...options, size: { cols, rows }, note: 'keys' });
    expect(lines.length).toBeLessThanOrEqual(rows);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(cols);
    if (rows === 8) expect(lines.join('\n')).toMatch(/… \d+ more/);
  });

  it('never lets a name act on the terminal, and has no colours where there are none', () => {
    const hostile = session('a', { agent: '\u001b]0;x\u0007', lastDenial: { ...denied, summary: 'GET \u202e\r\n' } });
    const text = frame(figuresOf(null, stats(1, [hostile])), options).join('\n');
    for (const control of ['\u001b', '\u0007', '\u202e', '\r']) expect(text).not.toContain(control);
    expect(frame(figuresOf(null, stats(1, [hostile])), { ...options, paint: painter(true) }).join('')).toContain(
      '\u001b[1m',
    );
  });
});

describe('the screen', () => {
  function terminal() {
    const written: string[] = [];
    const raw: boolean[] = [];
    const stdin = Object.assign(new PassThrough(), { setRawMode: (mode: boolean) => raw.push(mode) });
    const stdout = Object.assign(new PassThrough(), { columns: 80, rows: 24 });
    stdout.on('data', (bytes: Buffer) => written.push(bytes.toString()));
    return { stdin, stdout, written, raw, at: { stdin, stdout } as unknown as Surroundings };
  }

  it.each([
    ['q', 'q'],
    ['Ctrl-C', '\u0003'],
    ['Ctrl-D', '\u0004'],
  ])('ends by %s and gives the terminal back', async (_what, key) => {
    const { stdin, written, raw, at } = terminal();
    {
      using screen = new Screen(at, { key: () => {}, resized: () => {} });
      screen.draw(['one', 'two']);
      stdin.write(key);
      while (!screen.ended.aborted) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(written.join('')).toBe(
      '\u001b[?1049h\u001b[?25l\u001b[?7l\u001b[Hone\u001b[K\r\ntwo\u001b[K\u001b[J\u001b[?7h\u001b[?25h\u001b[?1049l',
    );
    expect(raw).toEqual([true, false]);
    expect(stdin.listenerCount('data')).toBe(0);
  });

  it('tells of keys and of a new size, and follows it', async () => {
    const { stdin, stdout, at } = terminal();
    const keys: string[] = [];
    let sizes = 0;
    using screen = new Screen(at, { key: (key) => keys.push(key), resized: () => sizes++ });
    stdin.write('db');
    stdout.columns = 40;
    stdout.emit('resize');
    await new Promise((resolve) => setImmediate(resolve));
    expect([keys, sizes, screen.size]).toEqual([['d', 'b'], 1, { cols: 40, rows: 24 }]);
    expect(screen.ended.aborted).toBe(false);
  });

  it('gives the terminal back when drawing fails', () => {
    const { written, at } = terminal();
    expect(() => {
      using _screen = new Screen(at, { key: () => {}, resized: () => {} });
      throw new TypeError('of a test');
    }).toThrow('of a test');
    expect(written.join('')).toContain('\u001b[?1049l');
  });
});
