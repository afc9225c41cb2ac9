import { readlinkSync } from 'node:fs';
import { capabilityText, statusOf } from '../capability.ts';
import type { Command } from '../command.ts';
import { runningDaemon, startDaemon } from '../daemon.ts';
import { exitStatus, usageError } from '../exit.ts';
import { jsonLine } from '../json.ts';
import { durationText, painter, visible } from '../text.ts';
import { attackGroups, runAttack } from './attack.ts';

const downTimeoutMs = 15_000;
const pollMs = 25;

export const up: Command = {
  name: 'up',
  group: 'Daemon',
  usage: 'cordon up',
  summary: 'start the daemon (every command does so when it needs it)',
  words: [0, 0],
  options: {
    'testing-destinations': {
      value: 'FILE',
      about: 'for tests only: serve some hosts from this machine; shown and recorded everywhere',
    },
  },
  details: [],
  run: async ({ at, running }, args) => {
    const file = args.text('testing-destinations');
    if ((await running()) !== null) {
      at.stdout.write('the daemon is running already\n');
      return file === undefined ? exitStatus.ok : exitStatus.unavailable;
    }
    const cordon = await startDaemon(at, file === undefined ? [] : ['--testing-destinations', file]);
    at.stdout.write(`the daemon runs, pid ${(await cordon.status()).pid}\n`);
    return exitStatus.ok;
  },
};

/** Not one that has ended and that nobody has waited for: it has no program any more. */
function isAlive(pid: number): boolean {
  try {
    return readlinkSync(`/proc/${pid}/exe`) !== '';
  } catch {
    return false;
  }
}

export const down: Command = {
  name: 'down',
  group: 'Daemon',
  usage: 'cordon down',
  summary: 'end every session and the daemon',
  words: [0, 0],
  options: {},
  details: [],
  run: async ({ at, running }) => {
    const cordon = await running();
    if (cordon === null) {
      at.stdout.write('the daemon is not running\n');
      return exitStatus.ok;
    }
    const status = await cordon.status().catch(() => null);
    const processes = status === null ? [] : [status.pid, ...status.roles.map(({ pid }) => pid)];
    await cordon.shutdown();
    const deadline = performance.now() + downTimeoutMs;
    // It stops answering before it has written its last: whoever removes its folder next must not meet it there.
    while ((await runningDaemon(at)) !== null || processes.some(isAlive)) {
      if (performance.now() > deadline) {
        at.stderr.write('cordon: the daemon has not ended yet; cordon status\n');
        return exitStatus.unavailable;
      }
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
    at.stdout.write('the daemon and every session have ended\n');
    return exitStatus.ok;
  },
};

export const status: Command = {
  name: 'status',
  group: 'Daemon',
  usage: 'cordon status',
  summary: 'is everything well',
  words: [0, 0],
  options: { json: { about: 'as JSON' } },
  details: [],
  run: async ({ at, running }, args) => {
    const cordon = await running();
    if (cordon === null) {
      at.stdout.write(
        args.flag('json')
          ? jsonLine({ running: false, home: at.home })
          : 'the daemon is not running; the first cordon run starts it\n',
      );
      return exitStatus.unavailable;
    }
    const answer = await cordon.status();
    const stops = await cordon.stops();
    if (args.flag('json')) {
      at.stdout.write(jsonLine({ running: true, ...answer, stops }));
      return exitStatus.ok;
    }
    const paint = painter(at.colours);
    const lines: Array<[string, string]> = [
      [
        'daemon',
        `version ${answer.version}, pid ${answer.pid}, up ${durationText(Date.now() - Date.parse(answer.startedAt))}`,
      ],
      ['state', answer.home],
      ...answer.roles.map((role): [string, string] => [
        role.role,
        `${role.state}, pid ${role.pid}${role.restarts === 0 ? '' : `, restarted ${role.restarts} times`}`,
      ]),
      ['sessions', `${answer.sessions.running} running, ${answer.sessions.frozen} frozen`],
      ['ledger', `${answer.ledger.size} entries, root ${answer.ledger.root}`],
      ...stops.map((stop): [string, string] => [
        'stopped',
        `${JSON.stringify(stop.scope)} ${stop.strength} since ${stop.at}${stop.reason === '' ? '' : `: ${stop.reason}`}`,
      ]),
      ...answer.recovered.map((text): [string, string] => ['recovered', text]),
    ];
    for (const [name, value] of lines) at.stdout.write(`${paint('dim', name.padEnd(12))} ${visible(value)}\n`);
    for (const warning of answer.warnings)
      at.stdout.write(`${paint('yellow', 'warning'.padEnd(12))} ${visible(warning)}\n`);
    return exitStatus.ok;
  },
};

export const doctor: Command = {
  name: 'doctor',
  group: 'Daemon',
  usage: 'cordon doctor [--attack]',
  summary: 'what isolation this machine can give, each line tried, not assumed',
  words: [0, 0],
  options: {
    attack: { about: 'try every known way out of a session, judged from outside, in a daemon of its own' },
    only: {
      value: 'GROUP',
      repeat: true,
      about: `with --attack: ${attackGroups.join('|')}, or a word of a name`,
      choices: attackGroups,
    },
    verbose: { short: 'v', about: 'with --attack: every way out by name' },
    planted: { about: 'with --attack: open two ways on purpose, to see that they are found' },
    json: { about: 'one JSON object per line' },
  },
  details: [
    'Exit status 69 when a promised layer does not work here; capture is none.',
    'With --attack: 1 when a way out is open, 69 when one could not be judged.',
  ],
  run: async ({ at, cordon }, args) => {
    if (args.flag('attack')) return await runAttack(args);
    const alone = ['only', 'verbose', 'planted'].find((name) => args.flag(name));
    if (alone !== undefined) throw usageError(`--${alone} belongs to cordon doctor --attack`);
    const capabilities = await (await cordon()).doctor();
    const paint = painter(at.colours);
    for (const capability of capabilities) {
      at.stdout.write(args.flag('json') ? jsonLine(capability) : capabilityText(capability, paint));
    }
    return statusOf(capabilities);
  },
};
