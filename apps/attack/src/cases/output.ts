import { encodeAttachFrames } from '@cordon/protocol';
import { type EscapeCase, probe } from '../case.ts';
import { escaped, unclear } from '../error.ts';

const octal = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');

/** An end that the agent claims for itself, in the words of our own stream. */
const claimedEnd = Buffer.concat(
  encodeAttachFrames('exit', Buffer.from('{"status":0,"reason":"exited","signal":null,"detail":null}')),
);

/** What goes out on stdio is data, for our own processes and for the operator's terminal. */
export const outputCases: readonly EscapeCase[] = [
  probe('smuggle', 'stdio is pipes, no socket', ['ENOTSOCK', 'EPERM', 'EACCES']),
  {
    name: 'output in the form of our own frames, whole and broken, stays output',
    stop: 'output is counted, not parsed',
    attack: () =>
      `echo tried; printf '${octal(claimedEnd)}'; printf '\\377\\377\\377\\377\\377\\377'; printf '${octal(claimedEnd.subarray(0, 7))}'; exit 7`,
    judge: (_field, run) => {
      if (run.status !== 7) throw escaped(`the session ended with ${run.status}, not with 7`);
      if (!run.stdout.includes('"reason":"exited"')) throw unclear('the output did not arrive');
    },
  },
  {
    name: 'escape sequences do not reach the operator’s terminal',
    stop: 'terminal filter',
    needsProgram: 'script',
    attack: () => 'echo tried',
    judge: async (field) => {
      const hostile = String.raw`printf "seen\033]52;c;c3RvbGVu\007\033(\033]0;title\007\302\2358;;http://evil.example\007\033[6n\n"`;
      const weaker = field.missing.includes('cgroups') ? ['--allow-weaker', 'cgroups'] : [];
      const command = ['run', '--quiet', ...weaker, '--', '/bin/sh', '-c'];
      // With input from elsewhere there is no terminal inside, and the output comes out on the operator's all the same.
      for (const [script, redirection] of [
        [hostile, ''],
        [hostile, '</dev/null'],
        [`{ ${hostile}; } >&2`, '</dev/null'],
      ] as const) {
        const shown = await field.deployment.onTerminal([...command, script], redirection);
        if (!shown.stdout.includes('seen')) throw unclear(`nothing was shown: ${shown.stdout}${shown.stderr}`);
        for (const sequence of ['\u001b]', '\u009d', '\u001b[6n'])
          if (shown.stdout.includes(sequence)) throw escaped(`${JSON.stringify(sequence)} reached the terminal`);
      }
    },
  },
];
