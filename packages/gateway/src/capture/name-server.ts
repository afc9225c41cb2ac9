import type { KnownNames } from '@cordon/policy';
import type { Clock } from '@cordon/protocol';
import type { GatewayLimits } from '../limits.ts';
import {
  type DnsQuestion,
  dnsTypes,
  parseQuestion,
  type ResponseCode,
  writeAnswer,
  writeRefusal,
} from './dns-message.ts';
import { addressV4, addressV6, SyntheticNames } from './synthetic.ts';

export interface NameServerOptions {
  readonly limits: GatewayLimits;
  readonly clock: Clock;
  readonly isOwnName: (host: string) => boolean;
  /** Of the policy of now; null without one. */
  readonly known: () => KnownNames | null;
  /** A name was asked for that no grant speaks of. Once per question for a v4 address. */
  readonly refused: (name: string) => void;
}

/**
 * The name server of one session: it says which names there are and hands out an address that stands for each. It asks
 * nobody, so no question carries anything out, and it decides nothing: what is done with the address is decided then.
 */
export class NameServer {
  readonly #options: NameServerOptions;
  readonly #names: SyntheticNames;
  /** Whether connections to a v6 address of ours come to us. */
  hasV6 = false;
  #tokens: number;
  #filledMs: number;

  constructor(options: NameServerOptions) {
    this.#options = options;
    this.#names = new SyntheticNames(options.limits.namesPerSessionMax);
    this.#tokens = options.limits.nameQueriesPerSecondMax;
    this.#filledMs = options.clock.monotonic();
  }

  /** The name that a connection to this address means; null when it stands for none. */
  nameOf(address: string): string | null {
    return this.#names.find(address, this.#options.known()?.exact ?? []);
  }

  /** Null: silence. */
  answer(bytes: Buffer): Buffer | null {
    if (!this.#takeToken()) return null;
    const question = parseQuestion(bytes);
    if (question.kind === 'silence') return null;
    if (question.kind === 'malformed') return writeRefusal(question);
    const code = this.#codeFor(question);
    const addresses = code === 'NOERROR' && question.name !== null ? this.#addresses(question.name, question.type) : [];
    return writeAnswer(question, code, addresses, Math.floor(this.#options.limits.nameTtlMs / 1000));
  }

  #codeFor({ name, type, internet }: Extract<DnsQuestion, { kind: 'question' }>): ResponseCode {
    const { known, isOwnName, refused } = this.#options;
    if (name === null || !internet) return 'REFUSED';
    if (isOwnName(name) || known()?.knows(name) === true) return 'NOERROR';
    if (type === dnsTypes.a) refused(name);
    return 'REFUSED';
  }

  #addresses(name: string, type: number): Buffer[] {
    if (type === dnsTypes.a) return [addressV4(this.#names.place(name))];
    if (type === dnsTypes.aaaa && this.hasV6) return [addressV6(this.#names.place(name))];
    return [];
  }

  /** A bucket that fills in a second: questions cost the process that decides for every session of the tenant. */
  #takeToken(): boolean {
    const { clock, limits } = this.#options;
    const now = clock.monotonic();
    const filled = ((now - this.#filledMs) / 1000) * limits.nameQueriesPerSecondMax;
    this.#tokens = Math.min(limits.nameQueriesPerSecondMax, this.#tokens + filled);
    this.#filledMs = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
