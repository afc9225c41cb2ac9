import { type GatewayToSupervisor, type PermitOrder, type PermitRefusal, permitRefusals } from '@cordon/protocol';
import { GatewayError } from '../error.ts';
import type { GatewayLimits } from '../limits.ts';

/** What the signer answered, in a shape that was checked. */
export type SigningAnswer =
  | { readonly type: 'signed'; readonly n: number; readonly token: string }
  | { readonly type: 'unsigned'; readonly n: number; readonly code: PermitRefusal };

/** Where signed permits come from: beside the supervisor today, a process of its own later. */
export interface PermitSource {
  /** @throws GatewayError `permit-unavailable` when it refuses, or is too busy or too slow */
  sign(order: PermitOrder, signal: AbortSignal): Promise<string>;
}

type DeskLimits = Pick<GatewayLimits, 'permitSignTimeoutMs' | 'permitsWaitedForMax'>;

interface Waiting {
  readonly resolve: (token: string) => void;
  readonly reject: (error: Error) => void;
}

/** Asks the supervisor, over the channel that it holds us by. The key is not in this process. */
export class PermitDesk implements PermitSource {
  readonly #send: (message: GatewayToSupervisor) => void;
  readonly #limits: DeskLimits;
  readonly #waiting = new Map<number, Waiting>();
  #asked = 0;

  constructor(send: (message: GatewayToSupervisor) => void, limits: DeskLimits) {
    this.#send = send;
    this.#limits = limits;
  }

  sign(order: PermitOrder, signal: AbortSignal): Promise<string> {
    const limits = this.#limits;
    if (this.#waiting.size >= limits.permitsWaitedForMax)
      return Promise.reject(unavailable('too many permits are waited for'));
    this.#asked += 1;
    const n = this.#asked;
    return new Promise((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', gone);
        this.#waiting.delete(n);
      };
      const fail = (error: Error): void => {
        done();
        reject(error);
      };
      const gone = (): void => fail(signal.reason as Error);
      const timer = setTimeout(() => fail(unavailable('the signer does not answer')), limits.permitSignTimeoutMs);
      this.#waiting.set(n, {
        resolve: (token) => {
          done();
          resolve(token);
        },
        reject: fail,
      });
      if (signal.aborted) {
        gone();
        return;
      }
      signal.addEventListener('abort', gone);
      this.#send({ type: 'sign', n, order });
    });
  }

  /** An answer that nobody waits for any more came too late. */
  take(answer: SigningAnswer): void {
    const waiting = this.#waiting.get(answer.n);
    if (answer.type === 'signed') waiting?.resolve(answer.token);
    else waiting?.reject(unavailable(words[answer.code]));
  }
}

const words: Readonly<Record<PermitRefusal, string>> = {
  'session-unknown': 'the signer knows no such session',
  'session-stopped': 'the session was stopped',
  'permit-rate': 'too many permits in this second',
  'permit-too-large': 'the permit is too large for a header',
  'signer-unavailable': 'this host has no key for permits',
};

/** Null: not an answer of the signer. */
export function parseSigningAnswer(fields: { readonly [key: string]: unknown }): SigningAnswer | null {
  const { type, n, token, code } = fields;
  if (typeof n !== 'number') return null;
  if (type === 'signed' && typeof token === 'string') return { type, n, token };
  const known = permitRefusals.find((each) => each === code);
  return type === 'unsigned' && known !== undefined ? { type, n, code: known } : null;
}

function unavailable(why: string): GatewayError {
  return new GatewayError('permit-unavailable', why);
}
