import { describe, expect, it } from 'vitest';
import { coreCeiling, proveAll } from '../src/index.ts';
import { strongCeiling, strongRungs, teamCeiling, teamPlants, teamRungs } from './support/team-rules.ts';
import { freshEngine, snapshotOf } from './support/world.ts';

const engine = freshEngine({ memoEntries: 200_000 });
const withCeiling = (policies: Readonly<Record<string, string>>, rungs = teamRungs) =>
  snapshotOf(engine, { ceiling: { name: 'ceiling', policies } }, { rungs });

describe('the proof over the rules of a team', { timeout: 120_000 }, () => {
  it.each([
    ['two people', teamCeiling, teamRungs],
    ['two people with strong keys', strongCeiling, strongRungs],
  ])('holds where %s can be asked for, T1 to T7', (_name, ceiling, rungs) => {
    const proof = proveAll(withCeiling(ceiling, rungs));
    expect(proof.findings).toEqual([]);
    expect(proof.complete).toBe(true);
  });

  it('finds that the rules for one person are too weak for a team', () => {
    const { findings } = proveAll(withCeiling(coreCeiling.policies), { properties: ['T7'] });
    expect(findings.map(({ why }) => why)).toEqual([
      'money or rights moved by a weaker approval than can be asked for',
      'a program run by a weaker approval than can be asked for',
    ]);
  });

  it.each(teamPlants)('finds $name ($property)', ({ rungs, rule: [id, text], property }) => {
    const ceiling = rungs === teamRungs ? teamCeiling : strongCeiling;
    expect(Object.keys(ceiling)).toContain(id);
    const { findings } = proveAll(withCeiling({ ...ceiling, [id]: text }, rungs), { properties: [property] });
    expect(findings.length).toBeGreaterThan(0);
  });
});
