// A ledger of payments that acts on permits alone; see README.md.
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { connect } from '@cordon/sdk';
import { type EffectorOptions, PermitKeys } from '@cordon/sdk/effector';
import { UsedPermitsFile } from '@cordon/sdk/effector/file';
import { Payments } from './payments.ts';
import { createEffector } from './server.ts';

const { values } = parseArgs({
  options: {
    keys: { type: 'string' },
    origin: { type: 'string' },
    audience: { type: 'string', default: 'payments' },
    state: { type: 'string', default: 'effector-state' },
    listen: { type: 'string', default: '127.0.0.1:8443' },
    cert: { type: 'string' },
    key: { type: 'string' },
    cordon: { type: 'string' },
  },
});
const { keys, origin, audience, state, listen, cert, key, cordon } = values;
if (keys === undefined || origin === undefined) {
  console.error('usage: main.ts --keys FILE --origin https://HOST:PORT [--audience NAME] [--state FOLDER]');
  console.error('               [--listen ADDRESS:PORT] [--cert FILE --key FILE] [--cordon API-SOCKET]');
  process.exit(64);
}
/** Beside Cordon, as its owner, it can be asked whether a session runs; elsewhere permits and their minute must do. */
const alive: Pick<EffectorOptions, 'alive'> =
  cordon === undefined
    ? {}
    : {
        alive: async ({ session }) => {
          const { state: now } = await connect({ socket: cordon }).sessions.handle(session).get();
          return now === 'starting' || now === 'running';
        },
      };
mkdirSync(state, { recursive: true, mode: 0o700 });
const tls =
  cert === undefined || key === undefined ? null : { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
const server = createEffector({
  effector: {
    keys: await PermitKeys.import(JSON.parse(readFileSync(keys, 'utf8'))),
    audience,
    destination: origin,
    used: UsedPermitsFile.open(path.join(state, 'used.db')),
    clock: Date,
    ...alive,
  },
  payments: new Payments(path.join(state, 'payments.jsonl')),
  tls,
});
const at = listen.lastIndexOf(':');
server.listen(Number(listen.slice(at + 1)), listen.slice(0, at), () => {
  console.log(`${audience} at ${origin}, listening on ${JSON.stringify(server.address())}`);
});
