// A gateway for tests: answers everything with its boot id. `hang` in a request makes it deaf to pings, `die` ends it.
import { createSocket } from 'node:dgram';
import { createServer } from 'node:http';
import type { GatewayToSupervisor, SupervisorToGateway } from '@cordon/protocol';

const boot = `gw-${process.pid}`;
const servers = new Map<string, { close(): unknown }[]>();
let deaf = false;

function send(message: GatewayToSupervisor): void {
  process.send?.(message);
}

process.on('message', (message: SupervisorToGateway, handle: unknown) => {
  if (message.type === 'ping') {
    if (!deaf) send({ type: 'pong', n: message.n });
  } else if (message.type === 'close') {
    for (const server of servers.get(message.session) ?? []) server.close();
    servers.delete(message.session);
    send({ type: 'closed', session: message.session });
  } else if (message.type === 'serve') {
    const { session, kind, of } = message;
    const served = (server: { close(): unknown }): void => {
      const all = [...(servers.get(session) ?? []), server];
      servers.set(session, all);
      if (all.length === of) send({ type: 'serving', session, sockets: all.length });
    };
    if (kind === 'names') {
      const socket = createSocket(message.address === '::1' ? 'udp6' : 'udp4');
      socket.bind(handle as never, () => served(socket));
      return;
    }
    const server = createServer((request, response) => {
      if (request.url === '/hang') deaf = true;
      if (request.url === '/null') process.send?.(null as never);
      if (request.url === '/die') process.kill(process.pid, 'SIGKILL');
      response.end(`${session} ${kind} ${boot}\n`);
    });
    server.listen(handle as never, () => served(server));
  }
});
process.on('disconnect', () => process.exit(0));
send({ type: 'ready', boot });
