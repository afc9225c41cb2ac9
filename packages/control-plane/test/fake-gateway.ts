import { connect, type Socket } from 'node:net';
import {
  Channel,
  type GatewayMethods,
  type GatewayTraffic,
  type GatewayUplink,
  type HoldNews,
  type OpenBreaker,
  type SessionPolicy,
  type TenantPolicy,
} from '@cordon/protocol';
import { digestBytes } from '@cordon/protocol/digest';

/** Says hello as a gateway does and keeps what it is told; it decides nothing. */
export class FakeGateway implements AsyncDisposable {
  /** It goes on with the policy that it has, whatever it is told. */
  deaf = false;
  readonly tenants: TenantPolicy[] = [];
  readonly sessions = new Map<string, SessionPolicy>();
  readonly keys = new Map<string, { readonly id: string; readonly key: string }>();
  readonly stops: Array<{ session: string; stopped: boolean }> = [];
  readonly closed: string[] = [];
  readonly news: HoldNews[] = [];
  traffic: GatewayTraffic = { live: true, sessions: [] };
  beats = 0;
  diskFull = false;
  answer: GatewayUplink['hello']['result'] | null = null;
  readonly breakers: OpenBreaker[] = [];
  readonly resets: (string | null)[] = [];
  readonly channel: Channel<GatewayUplink, GatewayMethods>;
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.channel = new Channel<GatewayUplink, GatewayMethods>(socket, {
      tenant: (policy) => {
        this.tenants.push(policy);
        return { digest: this.deaf ? 'sha256:0' : digestBytes(JSON.stringify(policy)) };
      },
      session: (policy) => {
        this.sessions.set(policy.session, policy);
        return { digest: 'sha256:0' };
      },
      'session.key': ({ session, id, key }) => {
        this.keys.set(session, { id, key });
        return null;
      },
      'session.stop': (params) => {
        this.stops.push(params);
        return null;
      },
      'session.close': ({ session }) => {
        this.closed.push(session);
        return null;
      },
      beat: ({ sequence }) => {
        this.beats += 1;
        return { sequence, diskFull: this.diskFull };
      },
      breakers: () => ({ sessions: [...this.breakers], destinations: [] }),
      'breaker.reset': ({ session }) => {
        this.resets.push(session);
        return { reset: this.breakers.splice(0).length };
      },
      'hold.changed': (news) => {
        this.news.push(news);
        return null;
      },
      stats: () => this.traffic,
    });
  }

  static async connect(path: string, tenant = 'local', diskFull = false): Promise<FakeGateway> {
    const socket = connect({ path });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    const gateway = new FakeGateway(socket);
    gateway.diskFull = diskFull;
    const hello = { boot: 'bot_gw', pid: 4243, tenant, writer: 'gw', sessions: [] };
    gateway.answer = await gateway.channel.call('hello', hello).catch((error: unknown) => {
      socket.destroy();
      throw error;
    });
    while (gateway.beats === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    return gateway;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#socket.closed) return;
    const closed = new Promise((resolve) => this.#socket.once('close', resolve));
    this.channel.close();
    await closed;
  }
}
