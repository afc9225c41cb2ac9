import { setTimeout as pause } from 'node:timers/promises';
import type { BodyKey } from '@cordon/ledger';
import {
  type Amounts,
  Channel,
  type ChannelStream,
  CordonError,
  type EndorsementTaken,
  type EndorsementUse,
  type GatewayMethods,
  type GatewayTraffic,
  type GatewayUplink,
  type Given,
  type HoldNews,
  type HoldOrder,
  type HoldTaken,
  type HoldUse,
  type OpenBreakers,
  type SessionPolicy,
  type TenantPolicy,
} from '@cordon/protocol';
import { digestBytes } from '@cordon/protocol/digest';
import { type ControlErrorCode, refusal } from '../error.ts';
import { limits } from '../limits.ts';
import type { Log } from '../log.ts';

export interface Hello {
  readonly boot: string;
  readonly pid: number;
  readonly writer: string;
}

/** What a gateway of this tenant must know, as it is now; asked anew for every gateway that says hello. */
export interface GatewaySource {
  readonly tenant: string;
  tenantPolicy(): TenantPolicy;
  /** Every session that is starting, running or frozen. */
  sessions(): readonly string[];
  /**
   * As it is at this very moment; null once the session has ended.
   * INVARIANT: read synchronously with each send, on a channel that keeps order, so that no stop is overtaken by an
   * older policy that still says "not stopped".
   */
  sessionPolicy(session: string): SessionPolicy | null;
  /** By which a gateway seals what it keeps of the session. */
  bodyKey(session: string): BodyKey;
  authority(): { readonly certificate: string; readonly key: string };
  lease(params: GatewayUplink['lease']['params']): Promise<GatewayUplink['lease']['result']>;
  /** A session has seen something. Resolves once that is stored. */
  label(params: GatewayUplink['label']['params']): Promise<void>;
  /** People are asked about an intent. */
  openHold(order: HoldOrder): Promise<GatewayUplink['hold.open']['result']>;
  /** One use of what they approved, for the gateway of this boot. */
  useHold(use: HoldUse, gateway: string): Promise<HoldTaken>;
  /** One use of what they named for a time. */
  useEndorsement(use: EndorsementUse, gateway: string): Promise<EndorsementTaken | null>;
  /** Nothing for a session that is over. */
  takeBudget(session: string, needed: Amounts, wanted: Amounts): Promise<Given>;
  giveBudgetBack(session: string, amounts: Amounts): Promise<void>;
  /** The journal grew. */
  kick(): void;
}

/** What one gateway said about itself; null traffic: it did not answer in time. */
export interface GatewayWatch {
  readonly hello: Hello;
  /** Its journal's last entry, as far as it has said. */
  readonly wseq: number;
  readonly traffic: GatewayTraffic | null;
}

interface Connected {
  wseq: number;
  /** As of its last beat. */
  diskFull: boolean;
  readonly hello: Hello;
  readonly channel: Channel<GatewayMethods, GatewayUplink>;
}

/**
 * The gateways that are connected. Whatever changes is pushed to all of them and awaited: a change "is in force" only
 * when every connected gateway said so; one that is cut off denies when its lease ends.
 */
export class Gateways implements Disposable {
  readonly #source: GatewaySource;
  readonly #log: Log;
  readonly #cutOffMs: number;
  readonly #connected = new Set<Connected>();
  readonly #beats: ReturnType<typeof setInterval>;
  #sequence = 0;

  /** `cutOffMs`: how long a gateway that is cut off may still decide. */
  constructor(source: GatewaySource, log: Log, cutOffMs: number = limits.gatewayLeaseMs) {
    this.#source = source;
    this.#log = log;
    this.#cutOffMs = cutOffMs;
    this.#beats = setInterval(() => this.#beat(), limits.gatewayLeaseMs / 3);
  }

  get connected(): readonly Hello[] {
    return [...this.#connected].map(({ hello }) => hello);
  }

  /** Some gateway denies everything because its ledger's disk has reached the reserve. */
  get diskFull(): boolean {
    return [...this.#connected].some((gateway) => gateway.diskFull);
  }

  accept(stream: ChannelStream): void {
    let connected: Connected | null = null;
    const channel: Channel<GatewayMethods, GatewayUplink> = new Channel<GatewayMethods, GatewayUplink>(stream, {
      hello: (params) => {
        if (connected !== null || params.tenant !== this.#source.tenant) {
          throw new CordonError<ControlErrorCode>('tenant-unknown', `no tenant ${params.tenant} here`);
        }
        connected = {
          wseq: 0,
          diskFull: false,
          hello: { boot: params.boot, pid: params.pid, writer: params.writer },
          channel,
        };
        this.#connected.add(connected);
        const { certificate, key } = this.#source.authority();
        // Its own task: everything below must follow the answer to hello, not overtake it.
        const joined = connected;
        setImmediate(() => void this.#bring(joined));
        return { caCertificate: certificate, caKey: key, leaseMs: limits.gatewayLeaseMs };
      },
      lease: async (params) => {
        if (connected === null) throw new CordonError<ControlErrorCode>('conflict', 'hello first');
        return await this.#source.lease(params);
      },
      label: async (params) => {
        if (connected === null) throw new CordonError<ControlErrorCode>('conflict', 'hello first');
        await this.#source.label(params);
        return null;
      },
      'hold.open': async (order) => {
        if (connected === null) throw new CordonError<ControlErrorCode>('conflict', 'hello first');
        return await this.#source.openHold(order);
      },
      'hold.use': async (use) => {
        if (connected === null) throw new CordonError<ControlErrorCode>('conflict', 'hello first');
        return await this.#source.useHold(use, connected.hello.boot);
      },
      'endorsement.use': async (use) => {
        if (connected === null) throw new CordonError<ControlErrorCode>('conflict', 'hello first');
        return await this.#source.useEndorsement(use, connected.hello.boot);
      },
      'budget.take': async ({ session, needed, wanted }) => {
        if (connected === null) throw new CordonError<ControlErrorCode>('conflict', 'hello first');
        return await this.#source.takeBudget(session, needed, wanted);
      },
      'budget.back': async ({ session, amounts }) => {
        if (connected !== null) await this.#source.giveBudgetBack(session, amounts);
        return null;
      },
      head: ({ writer, wseq }) => {
        if (connected !== null && writer === connected.hello.writer) connected.wseq = wseq;
        this.#source.kick();
        return null;
      },
    });
    channel.onClose(() => {
      if (connected !== null) this.#connected.delete(connected);
    });
  }

  /**
   * Resolves when every gateway decides by the tenant's policy of now, or decides nothing: one that does not say so in time
   * is cut off, and its right to decide has run out before this resolves.
   */
  async pushTenant(): Promise<{ readonly gateways: number; readonly cutOff: number }> {
    const policy = this.#source.tenantPolicy();
    const digest = digestBytes(JSON.stringify(policy));
    const told = await Promise.all(
      [...this.#connected].map(async (gateway) => {
        const answer = await gateway.channel.call('tenant', policy, limits.gatewayPushTimeoutMs).catch(() => null);
        if (answer?.digest === digest) return true;
        gateway.channel.close();
        return false;
      }),
    );
    const cutOff = told.filter((taken) => !taken).length;
    if (cutOff > 0) await pause(this.#cutOffMs);
    return { gateways: told.length - cutOff, cutOff };
  }

  async pushSession(session: string): Promise<void> {
    const policy = this.#source.sessionPolicy(session);
    if (policy !== null) await this.#all((channel) => this.#sendSession(channel, policy));
  }

  async stopSession(session: string, stopped: boolean): Promise<void> {
    await this.#all((channel) => channel.call('session.stop', { session, stopped }, limits.gatewayPushTimeoutMs));
  }

  async closeSession(session: string): Promise<void> {
    await this.#all((channel) => channel.call('session.close', { session }, limits.gatewayPushTimeoutMs));
  }

  /** To whoever waits for it; a gateway that does not hear it asks again with the agent's next try. */
  tellHold(news: HoldNews): void {
    for (const { channel } of this.#connected) channel.send('hold.changed', news);
  }

  /** For those who watch: what goes through each gateway now. */
  async watch(): Promise<readonly GatewayWatch[]> {
    const asked = [...this.#connected].map(async ({ hello, wseq, channel }) => ({
      hello,
      wseq,
      traffic: await channel.call('stats', null, limits.gatewayStatsTimeoutMs).catch(() => null),
    }));
    return await Promise.all(asked);
  }

  async breakers(): Promise<OpenBreakers> {
    const asked = await Promise.all(
      [...this.#connected].map(({ channel }) => channel.call('breakers', null, limits.gatewayPushTimeoutMs)),
    );
    return {
      sessions: asked.flatMap(({ sessions }) => sessions),
      destinations: asked.flatMap(({ destinations }) => destinations),
    };
  }

  /** @throws CordonError `gateway-unavailable` */
  async resetBreakers(session: string | null): Promise<number> {
    let reset = 0;
    await this.#all(async (channel) => {
      reset += (await channel.call('breaker.reset', { session }, limits.gatewayPushTimeoutMs)).reset;
    });
    return reset;
  }

  /** Every gateway says hello again and gets everything anew, the CA included. */
  reset(): void {
    for (const { channel } of this.#connected) channel.close();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#beats);
    this.reset();
  }

  async #all(call: (channel: Channel<GatewayMethods, GatewayUplink>) => Promise<unknown>): Promise<void> {
    const results = await Promise.allSettled([...this.#connected].map(({ channel }) => call(channel)));
    // A gateway that died meanwhile gets everything anew with its next hello, and decides nothing until then.
    const failed = results.find((r) => r.status === 'rejected' && !isClosed(r.reason));
    if (failed?.status === 'rejected') {
      throw refusal('gateway-unavailable', 'a gateway did not take the change', ['cordon status'], failed.reason);
    }
  }

  async #bring(gateway: Connected): Promise<void> {
    try {
      await gateway.channel.call('tenant', this.#source.tenantPolicy(), limits.gatewayPushTimeoutMs);
      for (const session of this.#source.sessions()) {
        const policy = this.#source.sessionPolicy(session);
        if (policy !== null) await this.#bringSession(gateway, policy);
      }
      this.#send(gateway);
    } catch (error: unknown) {
      this.#log.fault('gateway: first policies', error);
      gateway.channel.close();
    }
  }

  /** A session whose policy the gateway does not take is denied there; the others are none the worse for it. */
  async #bringSession(gateway: Connected, policy: SessionPolicy): Promise<void> {
    try {
      await this.#sendSession(gateway.channel, policy);
    } catch (error: unknown) {
      if (gateway.channel.closed) throw error;
      this.#log.fault(`gateway: policy of ${policy.session}`, error);
    }
  }

  /** The channel keeps order, so no gateway ever decides for a session whose bodies it could not seal. */
  async #sendSession(channel: Connected['channel'], policy: SessionPolicy): Promise<void> {
    const { id, key } = this.#source.bodyKey(policy.session);
    const given = { session: policy.session, id, key: key.export().toString('base64') };
    await Promise.all([
      channel.call('session.key', given, limits.gatewayPushTimeoutMs),
      channel.call('session', policy, limits.gatewayPushTimeoutMs),
    ]);
  }

  #beat(): void {
    for (const gateway of this.#connected) this.#send(gateway);
  }

  #send(gateway: Connected): void {
    this.#sequence += 1;
    gateway.channel
      .call('beat', { sequence: this.#sequence, leaseMs: limits.gatewayLeaseMs })
      .then(({ diskFull }) => {
        gateway.diskFull = diskFull;
      })
      .catch((error: unknown) => {
        // It answers nothing: cut it off, so that it denies when its lease ends and comes back with a new hello.
        if (!isClosed(error)) gateway.channel.close();
      });
  }
}

function isClosed(error: unknown): boolean {
  return error instanceof CordonError && error.code === 'channel-closed';
}
