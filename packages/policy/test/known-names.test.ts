import { describe, expect, it } from 'vitest';
import { compileGrants, type Grant, type KnownNames, knownNames } from '../src/index.ts';
import { anything, freshEngine, snapshotOf } from './support/world.ts';

const engine = freshEngine();

function known(session: Readonly<Record<string, string>>): KnownNames {
  return knownNames(snapshotOf(engine, { session }));
}

function granted(...grants: readonly Grant[]): KnownNames {
  const compiled = compileGrants(grants, { layer: 'session', source: 'test' });
  if (!compiled.ok) throw new TypeError(JSON.stringify(compiled.problems));
  return known(compiled.policies);
}

describe('the names that grants speak of', () => {
  it('are the hosts that they name, on any port and by any scheme', () => {
    const names = granted(
      { allow: 'api.example' },
      { allow: 'http://plain.example:8080/a/**' },
      { allow: 'tcp://db.example:5432' },
    );
    expect([...names.exact].sort()).toEqual(['api.example', 'db.example', 'plain.example']);
    for (const host of names.exact) expect(names.knows(host)).toBe(true);
  });

  it('are the names strictly below a domain, and no others that end alike', () => {
    const names = granted({ allow: '*.wild.example' });
    expect(names.knows('a.wild.example')).toBe(true);
    expect(names.knows('a.b.wild.example')).toBe(true);
    for (const host of ['wild.example', 'notwild.example', 'a.wild.example.evil.example', 'example', '']) {
      expect(names.knows(host)).toBe(false);
    }
  });

  it('are none of a deny, of an address, and of a permit that names nothing', () => {
    const names = granted({ deny: 'denied.example' }, { allow: '192.0.2.7' }, { allow: 'https://[2001:db8::1]' });
    expect([...names.exact]).toEqual([]);
    for (const host of ['denied.example', '192.0.2.7', '2001:db8::1']) expect(names.knows(host)).toBe(false);
    expect(known({ 'session/open': anything }).knows('anything.example')).toBe(false);
  });

  it('are read from hand-written policies too, by what their heads name', () => {
    const names = known({
      'session/host': 'permit (principal, action, resource in Cordon::Host::"host.example");',
      'session/origin': 'permit (principal, action, resource in Cordon::Origin::"https://origin.example:443");',
      'session/condition':
        'permit (principal, action, resource) when { resource in Cordon::Host::"condition.example" };',
    });
    expect([...names.exact].sort()).toEqual(['host.example', 'origin.example']);
  });
});
