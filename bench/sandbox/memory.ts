// Resident memory of all of Cordon's own processes, idle and with sessions. PSS, so that what processes share is
// counted once. node bench/sandbox/memory.ts [sessions]
import { readFileSync } from 'node:fs';
import { Deployment } from '../../test/support/deployment.ts';
import { printMachine } from '../support/measure.ts';

const sessions = Number(process.argv[2] ?? 20);
const own = /cordond|launch/;

function kib(pid: number, field: 'Pss' | 'Rss'): number {
  try {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0);
  } catch {
    return 0;
  }
}

function total(deployment: Deployment, field: 'Pss' | 'Rss'): number {
  const pids = deployment.processes().filter((pid) => {
    try {
      return own.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
    } catch {
      return false;
    }
  });
  return pids.reduce((sum, pid) => sum + kib(pid, field), 0) / 1024;
}

printMachine();
await using deployment = await Deployment.start();
await deployment.sh('true');
await new Promise((resolve) => setTimeout(resolve, 2000));
const idle = { rss: total(deployment, 'Rss'), pss: total(deployment, 'Pss') };
const running = Array.from({ length: sessions }, () =>
  deployment.background(['run', '--quiet', '--', '/bin/sleep', '600']),
);
while (
  (await deployment.cordon(['ps', '--json'])).stdout
    .trim()
    .split('\n')
    .filter((line) => line !== '').length < sessions
) {
  await new Promise((resolve) => setTimeout(resolve, 200));
}
await new Promise((resolve) => setTimeout(resolve, 2000));
const busy = { rss: total(deployment, 'Rss'), pss: total(deployment, 'Pss') };
console.log(
  `idle (control plane, supervisor, gateway)   RSS ${idle.rss.toFixed(0)} MiB   PSS ${idle.pss.toFixed(0)} MiB`,
);
console.log(
  `with ${sessions} sessions                            RSS ${busy.rss.toFixed(0)} MiB   PSS ${busy.pss.toFixed(0)} MiB`,
);
console.log(
  `per session                                 RSS ${((busy.rss - idle.rss) / sessions).toFixed(2)} MiB   PSS ${((busy.pss - idle.pss) / sessions).toFixed(2)} MiB`,
);
await deployment.cordon(['kill', '--all']);
await Promise.all(running.map((child) => child.closed));
