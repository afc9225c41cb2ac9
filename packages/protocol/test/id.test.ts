import { describe, expect, it } from 'vitest';
import { createId, isId } from '../src/index.ts';

const zeros = { bytes: (count: number) => new Uint8Array(count) };

describe('ids', () => {
  it('sort by the time they were made', () => {
    const ids = [1, 1000, 1_700_000_000_000, 1_800_000_000_000].map((now) =>
      createId('session', { now: () => now }, zeros),
    );
    expect([...ids].sort()).toEqual(ids);
  });

  it('are recognised by kind and form only', () => {
    const id = createId('session', { now: () => 1_700_000_000_000 }, zeros);
    expect(isId('session', id)).toBe(true);
    for (const wrong of [
      id.slice(0, -1),
      `${id}0`,
      id.toUpperCase(),
      id.replace('ses_', 'att_'),
      `${id}\n`,
      `ses_8${id.slice(5)}`,
    ]) {
      expect(isId('session', wrong), wrong).toBe(false);
    }
  });
});
