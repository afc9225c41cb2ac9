import { describe, expect, it } from 'vitest';
import { locationsOf } from '../src/index.ts';

const user = { root: false, userHome: () => '/home/u' };
const nobody = {
  root: false,
  userHome: (): string => {
    throw new Error('no home');
  },
};

describe('locations', () => {
  it.each([
    ['root', {}, { root: true, userHome: nobody.userHome }, '/var/lib/cordon', '/run/cordon'],
    ['a user', {}, user, '/home/u/.local/state/cordon', '/home/u/.local/state/cordon/run'],
    ['a user with XDG folders', { XDG_STATE_HOME: '/s', XDG_RUNTIME_DIR: '/r' }, user, '/s/cordon', '/r/cordon'],
    ['a user without a home who says where', { CORDON_HOME: '/h' }, nobody, '/h', '/h/run'],
    ['anybody who says both', { CORDON_HOME: '/h', CORDON_RUNTIME_DIR: '/q' }, nobody, '/h', '/q'],
  ])('of %s', (_who, env, who, home, runtime) => {
    expect(locationsOf(env, who)).toEqual({ home, runtime });
  });

  it('are never in a folder that everybody may write', () => {
    for (const env of [{}, { XDG_STATE_HOME: '/s' }]) expect(locationsOf(env, user).runtime).not.toMatch(/^\/tmp/);
  });
});
