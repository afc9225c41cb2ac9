import type { Destination } from '@cordon/egress';
import type { Road } from '../ask.ts';
import { reset } from '../listen/listener.ts';
import type { TunnelAsk } from '../listen/tunnel.ts';
import { quote } from '../refuse/quote.ts';
import { refuse } from '../refuse/refusal.ts';
import type { Session } from '../session/session.ts';
import { mayTunnel, tunnelTo } from './may.ts';
import { serveTunnel, type TunnelServing } from './serve.ts';

export function mayBeRaw(road: Road, session: Session, { origin }: Destination): boolean {
  return mayTunnel(road, session, tunnelTo('tcp', origin));
}

/**
 * true: the connection was a tunnel, granted or not, and has ended. false: it is not for us; TLS is terminated then.
 * What is neither TLS nor HTTP is always asked about, so that its refusal is a recorded decision, which names the grant.
 */
export async function afterConnect(serving: TunnelServing, ask: TunnelAsk): Promise<boolean> {
  const { session, channel, target, opening, via, socket } = ask;
  if (opening.kind !== 'tls') {
    await serveTunnel(serving, { session, channel, resource: tunnelTo('tcp', target.origin), via, socket });
    return true;
  }
  const resource = tunnelTo('tls', target.origin);
  if (!mayTunnel(serving.road, session, resource)) return false;
  const wrong = disagreement(target, opening);
  if (wrong !== null) {
    serving.refused(session, channel, wrong);
    reset(socket);
    return true;
  }
  await serveTunnel(serving, { session, channel, resource, via, socket });
  return true;
}

/**
 * INVARIANT: the name in the ClientHello is the granted one. It is all that is known of a tunnel: a server that has
 * many names would otherwise be reached under another one.
 */
function disagreement(target: Destination, hello: { readonly serverName: string | null; readonly ech: boolean }) {
  if (hello.ech) {
    const detail = `The ClientHello for ${quote(target.host)} is encrypted, so the name in it may be another one.`;
    return refuse('client-hello-encrypted', detail, { nextSteps: ['switch Encrypted ClientHello off in the client'] });
  }
  const named = target.literal ? (hello.serverName ?? target.host) : hello.serverName;
  if (named === target.host) return null;
  const what = named === null ? 'no host' : quote(named);
  return refuse('misdirected-request', `The connection is for ${quote(target.host)}; its ClientHello names ${what}.`);
}
