#!/usr/bin/env node
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Cosigner, createWitnessKey, openCosigner, Witness } from '@cordon/ledger';
import { isCordonError, systemClock } from '@cordon/protocol';
import { serveWitness } from './server.ts';

const usage = `usage: witness --state DIR --log FILE [--name NAME] [--port N]
       witness --state DIR --log FILE --request FILE

  --state DIR     the witness's own key and the newest head that it saw of each log; made when it is not there
  --log FILE      verifier key of a log that it witnesses; may be repeated
  --name NAME     its name, when its key is made; default witness.local/w1
  --port N        port on 127.0.0.1; default: one that is free
  --request FILE  one add-checkpoint request from a file, its answer on standard output; serves nothing

exit status: 0, 1 the request was refused, 64 usage
`;

function main(words: readonly string[]): number | null {
  const { values } = parseArgs({
    args: [...words],
    options: {
      state: { type: 'string' },
      log: { type: 'string', multiple: true },
      name: { type: 'string', default: 'witness.local/w1' },
      port: { type: 'string', default: '0' },
      request: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  const { state, log: logFiles } = values;
  const port = Number(values.port);
  if (values.help === true || state === undefined || logFiles === undefined || !Number.isSafeInteger(port)) {
    (values.help === true ? process.stdout : process.stderr).write(usage);
    return values.help === true ? 0 : 64;
  }
  const logs = logFiles.map((file) => readFileSync(file, 'utf8').trim());
  const cosigner = openKey(state, values.name);
  const witness = new Witness({ directory: join(state, 'heads'), cosigner, logs, clock: systemClock });
  if (values.request !== undefined) {
    using only = witness;
    const answer = only.addCheckpoint(readFileSync(values.request, 'utf8'));
    (answer.status === 200 ? process.stdout : process.stderr).write(answer.body);
    return answer.status === 200 ? 0 : 1;
  }
  const server = serveWitness(witness);
  server.listen(port, '127.0.0.1', () => {
    const { port: bound } = server.address() as AddressInfo;
    // A line of a policy file (C2SP tlog-policy), ready to be copied.
    process.stdout.write(`witness ${cosigner.name} ${cosigner.verifierKey} http://127.0.0.1:${bound}\n`);
  });
  const end = (): void => {
    server.close(() => witness[Symbol.dispose]());
    server.closeAllConnections();
    if (process.connected === true) process.disconnect();
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, end);
  // Started by the command line: it ends with it.
  if (process.connected === true) process.once('disconnect', () => end());
  return null;
}

function openKey(state: string, name: string): Cosigner {
  mkdirSync(state, { recursive: true, mode: 0o700 });
  const [pem, vkey] = [join(state, 'witness.pem'), join(state, 'witness.vkey')];
  if (!existsSync(pem)) {
    const made = createWitnessKey(name);
    writeFileSync(vkey, `${made.verifierKey}\n`, { mode: 0o644 });
    writeFileSync(pem, made.privatePem, { mode: 0o600, flag: 'wx' });
  }
  return openCosigner(readFileSync(vkey, 'utf8').split('+', 1)[0] ?? '', readFileSync(pem, 'utf8'));
}

try {
  const status = main(process.argv.slice(2));
  if (status !== null) process.exitCode = status;
} catch (error) {
  const code = isCordonError(error) ? error.code : 'usage';
  process.stderr.write(`witness: ${code}: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 64;
}
