import { describe, expect, it } from 'vitest';
import { type Command, parseArguments } from '../src/command.ts';
import { commands } from '../src/commands/index.ts';
import { exitStatusOf } from '../src/exit.ts';
import { parseCpus, parseDuration, parseSize } from '../src/quantity.ts';

const command = (name: string): Command => {
  const found = commands.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no command ${name}`);
  return found;
};
const run = command('run');

describe('arguments', () => {
  it('leave everything behind -- to the agent', () => {
    const args = parseArguments(run, ['--allow', 'a.example', '--', 'claude', '--allow', '-p', '--', 'x']);
    expect(args.words).toEqual(['claude', '--allow', '-p', '--', 'x']);
    expect(args.texts('allow')).toEqual(['a.example']);
  });

  it('are repeated only where that means something', () => {
    expect(parseArguments(run, ['--allow', 'a', '--allow', 'b', 'x']).texts('allow')).toEqual(['a', 'b']);
    expect(() => parseArguments(run, ['--name', 'a', '--name', 'b', 'x'])).toThrow('--name is given twice');
  });

  it.each([
    [['--polcy', 'x', 'true'], 'no option --polcy'],
    [['--name'], '--name needs a value'],
    [['--json=1', 'true'], '--json takes no value'],
    [[], 'needs more'],
    [['--__proto__', 'x'], 'no option'],
  ])('refuse %j and say how it is meant', (argv, message) => {
    try {
      parseArguments(run, argv);
      expect.unreachable('it was accepted');
    } catch (error) {
      expect((error as Error).message).toContain(message);
      expect(exitStatusOf(error)).toBe(64);
    }
  });

  it('suggest the option that was meant', () => {
    expect(() => parseArguments(run, ['--polcy', 'x', 'true'])).toThrow(
      expect.objectContaining({ nextSteps: expect.arrayContaining(['did you mean --policy?']) }),
    );
  });
});

it('suggest nothing where nothing is near', () => {
  expect(() => parseArguments(run, ['-p', 'x'])).toThrow(
    expect.objectContaining({ nextSteps: ['cordon run --help', 'options of the command itself go behind --'] }),
  );
});

describe('every command', () => {
  it('has its own name, a usage that begins with it, and an example or a plain summary', () => {
    expect(new Set(commands.map((each) => each.name)).size).toBe(commands.length);
    for (const each of commands) {
      expect(each.usage, each.name).toMatch(new RegExp(`^cordon ${each.name}`));
      expect(each.summary.length, each.name).toBeGreaterThan(10);
    }
  });
});

describe('quantities', () => {
  it('are read with their units', () => {
    expect(parseSize('memory', '512M')).toBe(512 * 2 ** 20);
    expect(parseSize('memory', '1.5GiB')).toBe(1.5 * 2 ** 30);
    expect(parseDuration('ttl', '8h')).toBe(8 * 3_600_000);
    expect(parseCpus('cpus', '0.5')).toBe(500);
  });

  it.each(['', '-1', '1e9', '10Q', 'G', '0x10', ' 1', '1 G'])('refuse the size %j', (text) => {
    expect(() => parseSize('memory', text)).toThrow('--memory');
  });

  it.each(['', '8', '-1h', '1.5h', 'h', '8 h'])('refuse the duration %j', (text) => {
    expect(() => parseDuration('ttl', text)).toThrow('--ttl');
  });
});
