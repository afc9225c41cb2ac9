import type { EscapeCase } from '../case.ts';
import { escaped, unclear } from '../error.ts';
import type { Field } from '../field.ts';
import { heard } from '../heard.ts';
import type { Run } from '../run.ts';

/** What the probe counted, e.g. how many threads it could start. */
function counted(run: Run, name: string): number {
  const count = new RegExp(`^tried ${name} ok (\\d+)$`, 'm').exec(run.stdout)?.[1];
  if (count === undefined) throw unclear(`the probe said nothing: ${run.stdout}${run.stderr}`);
  return Number(count);
}

async function neighbourWorks(field: Field): Promise<void> {
  const neighbour = await field.attack('echo fine');
  if (neighbour.stdout !== 'fine\n') throw escaped(`the neighbour said ${neighbour.stdout}${neighbour.stderr}`);
}

/** Using up what others need. */
export const resourceCases: readonly EscapeCase[] = [
  {
    name: 'threads stop at their limit and a neighbour goes on',
    stop: 'cgroup pids',
    options: { resources: { pidsMax: 64 } },
    needsCgroups: true,
    attack: () => './probe threads 2000; cat',
    during: async (field, underway) => {
      await heard(underway, 'tried');
      await neighbourWorks(field);
    },
    judge: (_field, run) => {
      if (counted(run, 'threads') >= 64) throw escaped(`${counted(run, 'threads')} threads under a limit of 64`);
    },
  },
  {
    name: 'open files stop at their limit',
    stop: 'RLIMIT_NOFILE, no way to raise it',
    options: { resources: { openFilesMax: 256 } },
    attack: () => './probe files 100000',
    judge: (_field, run) => {
      if (counted(run, 'files') >= 256) throw escaped(`${counted(run, 'files')} files open under a limit of 256`);
    },
  },
  {
    name: 'busy loops leave a neighbour its turn',
    stop: 'cgroup cpu, the scheduler',
    options: { resources: { cpuMillis: 200 } },
    attack: () =>
      'for i in 1 2 3 4 5 6 7 8; do (while :; do :; done) & pids="$pids $!"; done; echo tried; cat; kill $pids',
    during: async (field, underway) => {
      await heard(underway, 'tried');
      await neighbourWorks(field);
    },
    judge: () => {},
  },
];
