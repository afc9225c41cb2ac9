import type { Capability } from '@cordon/sdk';
import { describe, expect, it } from 'vitest';
import { statusOf } from '../src/capability.ts';

const capability = (name: string, works: boolean): Capability => ({ name, works, detail: '', cost: '', mend: null });
const promised = ['bubblewrap', 'namespaces', 'landlock', 'seccomp', 'cgroups', 'uid', 'overlay', 'hand-off'];

describe('cordon doctor', () => {
  it('is content where only capture is missing, which is no promised layer', () => {
    const all = [...promised, 'capture'].map((name) => capability(name, true));
    expect(statusOf(all)).toBe(0);
    expect(statusOf([...all.slice(0, -1), capability('capture', false)])).toBe(0);
  });

  it.each(promised)('is not where %s is missing', (name) => {
    expect(statusOf([capability('capture', true), capability(name, false)])).toBe(69);
  });
});
