import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { Ready } from './ready.ts';

/** A TLS connection to `host`, through the arm's proxy or straight to the server; verified as any client would. */
export async function open(arm: Ready, host: string, protocol: 'http/1.1' | 'h2' = 'http/1.1'): Promise<TLSSocket> {
  const socket = connectTcp({ host: '127.0.0.1', port: arm.port, noDelay: true });
  if (arm.proxy) await connectThrough(socket, `${host}:${arm.upstream}`);
  return new Promise((resolve, reject) => {
    const secured = connectTls({ socket, servername: host, ca: arm.ca, ALPNProtocols: [protocol] });
    secured.once('secureConnect', () => {
      secured.off('error', reject);
      resolve(secured);
    });
    secured.once('error', reject);
  });
}

function connectThrough(socket: Socket, authority: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    const read = (): void => {
      text += (socket.read() as Buffer | null)?.toString('latin1') ?? '';
      if (!text.includes('\r\n\r\n')) return;
      socket.off('readable', read);
      socket.off('error', reject);
      if (/^HTTP\/1\.[01] 200 /.test(text)) resolve();
      else reject(new Error(`CONNECT: ${text.slice(0, 80)}`));
    };
    socket.on('readable', read);
    socket.once('error', reject);
    socket.once('connect', () => socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`));
  });
}
