import { spawn } from 'node:child_process';
import type { Command } from '../command.ts';
import { demoProgram } from '../daemon.ts';
import { exitStatus } from '../exit.ts';

export const demo: Command = {
  name: 'demo',
  group: 'Run',
  usage: 'cordon demo',
  summary: 'see a real agent work, be refused, be stopped, and be proven: no key, no internet',
  words: [0, 0],
  options: {},
  details: ['Runs an unmodified open-source agent from the npm registry against a scripted model on this machine.'],
  run: async () => {
    const child = spawn(process.execPath, [demoProgram], { stdio: 'inherit' });
    return await new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (status) => resolve(status ?? exitStatus.internal));
    });
  },
};
