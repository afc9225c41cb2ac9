// A gateway for tests: answers everything with its boot id. `hang` in a request makes it deaf to pings, `die` ends it.
import { createServer, type Server } from 'node:http';
import type { GatewayToSupervisor, SupervisorToGateway } from '@cordon/protocol';

const boot = `gw-${process.pid}`;
const servers = new Map<string, Server[]>();
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
  } else {
    const server = createServer((request, response) => {
      if (request.url === '/hang') deaf = true;
      if (request.url === '/null') process.send?.(null as never);
      if (request.url === '/die') process.kill(process.pid, 'SIGKILL');
      response.end(`${message.session} ${message.kind} ${boot}\n`);
    });
    server.listen(handle as never, () => {
      const all = [...(servers.get(message.session) ?? []), server];
      servers.set(message.session, all);
      if (all.length === message.of) send({ type: 'serving', session: message.session, sockets: all.length });
    });
  }
});
process.on('disconnect', () => process.exit(0));
send({ type: 'ready', boot });
