// Kill of a session with 300 processes that ignore every signal: from the order at the supervisor to an empty cgroup,
// and `cordon kill` end to end. node bench/sandbox/kill.ts [rounds]
import { Deployment } from '../../test/support/deployment.ts';
import { print, printMachine, summarize } from '../support/measure.ts';

const rounds = Number(process.argv[2] ?? 20);
const bomb =
  'trap "" TERM HUP INT QUIT; i=0; while [ $i -lt 299 ]; do i=$((i+1)); (trap "" TERM HUP INT QUIT; exec sleep 600) & done; echo ready; wait; sleep 600';

printMachine();
await using deployment = await Deployment.start();
const confirmed: number[] = [];
const endToEnd: number[] = [];
for (let round = 0; round < rounds; round++) {
  const child = deployment.background(['run', '--quiet', '--pids', '400', '--', '/bin/sh', '-c', bomb]);
  await new Promise((resolve) => child.stdout?.once('data', resolve));
  const started = performance.now();
  const killed = await deployment.cordon(['kill', '--all', '--json']);
  endToEnd.push(performance.now() - started);
  const { sessions } = JSON.parse(killed.stdout) as { sessions: Array<{ confirmed: boolean; ms: number }> };
  for (const session of sessions) {
    if (!session.confirmed) throw new Error('a kill was not confirmed');
    confirmed.push(session.ms);
  }
  await child.closed;
  await deployment.cordon(['unfreeze', '--all']);
}
print('order to empty, 300 processes', summarize(confirmed));
print('cordon kill --all, end to end', summarize(endToEnd));
