import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { SessionHandle } from '@cordon/sdk';
import type { EscapeCase } from '../case.ts';
import { escaped } from '../error.ts';
import type { Field } from '../field.ts';
import { heard } from '../heard.ts';
import type { Run } from '../run.ts';

const appliesWhileRacing = 4;
const inodeLimitBytes = 8 * 2 ** 20;

/** Hostile proposals: what an agent leaves behind for the person who looks at it and takes it over. */
export const proposalCases: readonly EscapeCase[] = [
  {
    name: 'a file moved or hard-linked out of the workspace arrives nowhere',
    stop: 'mount namespace',
    attack: ({ outside }) =>
      `echo tried; mkdir -p ${outside}; mv kept ${outside}/moved; ln probe ${outside}/linked; ln /etc/passwd linked; mv /etc/hosts here`,
    judge: (field) => {
      // The folder outside is looked at after every case.
      if (!existsSync(path.join(field.deployment.workspace, 'kept'))) throw escaped('the workspace lost a file');
    },
  },
  {
    name: 'a folder swapped for a link while it is shown and applied',
    stop: 'openat2 beneath the workspace, no link out of it',
    attack: ({ outside }) =>
      `echo tried; (while :; do rm -rf swap; mkdir swap; echo x > swap/new; rm -rf swap; ln -s ${outside} swap; done) 2>/dev/null & cat; kill $!`,
    during: async (field, underway) => {
      await heard(underway, 'tried');
      const session = field.deployment.api.sessions.handle(underway.session);
      for (let i = 0; i < appliesWhileRacing; i++) {
        await session.changes().catch(() => []);
        await session.apply().catch(() => null);
      }
    },
    judge: async (field, run) => {
      await applied(field, run, () => {
        const swap = path.join(field.deployment.workspace, 'swap');
        if (lstatSync(swap, { throwIfNoEntry: false })?.isSymbolicLink() === true)
          throw escaped('a link out of the workspace was applied');
      });
    },
  },
  {
    name: 'a forged whiteout, opaque folder or redirect',
    stop: 'the proposal is read by type, marks of overlayfs are never believed',
    attack: () => './probe forgery; ls -la',
    judge: (field, run) =>
      applied(field, run, () => {
        const { workspace } = field.deployment;
        for (const name of readdirSync(workspace, { recursive: true }).map(String)) {
          if (lstatSync(path.join(workspace, name)).isCharacterDevice()) throw escaped(`${name} is a device`);
          if (name.endsWith('passwd')) throw escaped(`${name} came from somewhere else`);
        }
        if (readFileSync(path.join(workspace, 'kept'), 'utf8') !== 'kept\n') throw escaped('a file was removed');
      }),
  },
  {
    name: 'odd names: newline, invalid UTF-8, escape sequences, options, 255 bytes, 3000 deep',
    stop: 'names are bytes, shown with their control characters visible',
    attack: () =>
      [
        'echo tried; touch -- -rf "$(printf \'new\\nline\')" "$(printf \'\\377\\376\')" "$(printf \'\\033]0;owned\\007\')"',
        'touch "$(printf \'x\\napplied everything\')" "$(printf %0255d 0)"',
        'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do mkdir "$(printf %0200d $i)"; cd "$(printf %0200d $i)"; done; echo x > deep',
      ].join('; '),
    judge: async (field, run) => {
      const shown = await field.deployment.cordon(['diff', run.session]);
      await applied(field, run, () => undefined);
      for (const text of [shown.stdout, shown.stderr]) {
        if (text.includes('\u001b')) throw escaped('an escape sequence reached the terminal');
        if (/^applied everything/m.test(text)) throw escaped('a name forged a line');
      }
    },
  },
  {
    name: 'a flood of empty files is stopped',
    stop: 'each costs a block of the disk limit, and the session ends at it',
    options: { resources: { diskBytes: inodeLimitBytes } },
    attack: () => 'echo tried; while :; do ./probe inodes 20000; done',
    judge: (_field, run) => {
      if (run.status !== 137) throw escaped(`the session went on, and ended with ${run.status}`);
    },
  },
];

/** Applies what the session proposes, looks, and puts the workspace back. */
async function applied(field: Field, run: Run, look: () => void): Promise<void> {
  const session: SessionHandle = field.deployment.api.sessions.handle(run.session);
  try {
    // A refusal of the whole is an answer as well.
    await session.apply().catch(() => null);
    look();
    field.judge();
  } finally {
    await session.discard().catch(() => undefined);
    field.resetWorkspace();
  }
}
