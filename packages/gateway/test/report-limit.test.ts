import { FakeClock } from '@cordon/testkit';
import { expect, it } from 'vitest';
import { limitReports } from '../src/report-limit.ts';
import { RawClient } from './client.ts';
import { Rig } from './rig.ts';

it('each code has its lines a minute, and what was left out is counted', () => {
  const clock = new FakeClock();
  const said: string[] = [];
  const report = limitReports((level, code, message) => said.push(`${level} ${code} ${message}`), clock, 2);
  for (let i = 0; i < 5; i++) report('warn', 'slow-decision', `took ${i} ms`);
  report('error', 'journal-failed', 'the disk');
  expect(said).toEqual([
    'warn slow-decision took 0 ms',
    'warn slow-decision took 1 ms',
    'error journal-failed the disk',
  ]);
  clock.advance(60_000);
  report('warn', 'slow-decision', 'took 9 ms');
  expect(said.at(-1)).toBe('warn slow-decision took 9 ms (3 more like it were left out)');
});

it('an agent whose decisions are slow does not fill the log', async () => {
  await using rig = await Rig.start({ limits: { decisionMs: -1, reportsPerMinuteMax: 3 } });
  using client = await RawClient.to(rig.ports.proxy);
  for (let i = 0; i < 5; i++) {
    const answer = await client.ask('GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n');
    expect(answer.json['code']).toBe('slow-decision');
  }
  expect(rig.reports.filter(({ code }) => code === 'slow-decision')).toHaveLength(3);
});
