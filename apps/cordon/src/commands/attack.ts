import { spawn } from 'node:child_process';
import type { Arguments } from '../command.ts';
import { attackProgram } from '../daemon.ts';
import { exitStatus } from '../exit.ts';

export const attackGroups = ['files', 'kernel', 'processes', 'egress'] as const;

/** Runs the ways out as a program of their own, with the same programs of this build; its exit status is ours. */
export async function runAttack(args: Arguments): Promise<number> {
  const flags = ['json', 'verbose', 'planted'].filter((name) => args.flag(name)).map((name) => `--${name}`);
  const only = args.texts('only').flatMap((group) => ['--only', group]);
  const child = spawn(process.execPath, [attackProgram, ...flags, ...only], { stdio: 'inherit' });
  // A terminal's Ctrl-C reaches both; what a caller sends to this process alone is passed on. Either way it cleans up first.
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const name of signals) process.on(name, pass);
  try {
    return await new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (status) => resolve(status ?? exitStatus.internal));
    });
  } finally {
    for (const name of signals) process.off(name, pass);
  }
}
