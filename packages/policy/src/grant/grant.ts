import type { CriticalType, Yields } from '@cordon/protocol';

/** One entry of `grants` or `denies` in YAML, or one `--allow`; its shape is checked by whoever read the file. */
export interface Grant {
  /** Exactly one of `allow` and `deny`: `[SCHEME://]HOST[:PORT][/PATH]`, SCHEME one of http, ws, wss, tcp, tls. */
  readonly allow?: string | undefined;
  readonly deny?: string | undefined;
  /** Default GET and HEAD for `allow`, every method for `deny`. */
  readonly methods?: readonly string[] | undefined;
  /** What may be sent there; default public. */
  readonly clearance?: Clearance | undefined;
  /** What an answer from there is worth; default untrusted. `derived`: what a model makes of what it was told. */
  readonly yields?: Yields | undefined;
  /** Arguments of a JSON body that say who gets it, or how much: JSON pointers with `*`, and what is named there. */
  readonly critical?: Readonly<Record<string, CriticalType | CriticalTerms>> | undefined;
  /** `bytes`: number or `64KiB`; `rate`: `30/1m`; `life` of a tunnel or WebSocket: `2h`. */
  readonly limits?:
    | {
        readonly bytes?: number | string | undefined;
        readonly rate?: string | undefined;
        readonly life?: string | undefined;
      }
    | undefined;
  /** Beside the requests also WebSockets, whose messages are decided one by one. */
  readonly websocket?: boolean | undefined;
  /** `opaque`: TLS to this host is passed on unread, so nothing that is said inside is decided. */
  readonly tls?: 'opaque' | undefined;
  /** Private ranges that the name may resolve to. */
  readonly addresses?: readonly string[] | undefined;
  /** GET, HEAD, DELETE and OPTIONS may carry a body. */
  readonly body?: boolean | undefined;
  readonly encodedSlash?: boolean | undefined;
  /** So many different people must approve each request of it; `from`: each of them in one of these groups. */
  readonly approval?: number | ApprovalTerms | undefined;
  /** The effector that gets a signed permit along with each request of it. */
  readonly permit?: string | undefined;
  /** Line in the source, for messages and `@source`. */
  readonly line?: number | null | undefined;
}

export interface ApprovalTerms {
  readonly people: number;
  readonly from?: readonly string[] | undefined;
}

export interface CriticalTerms {
  readonly type: CriticalType;
  /** Canonical values; of e-mail addresses also `@domain`. */
  readonly among?: readonly string[] | undefined;
}

export type Clearance = 'public' | 'internal' | 'private' | 'secret';

/** A problem of one grant: which member is wrong and what would be right. */
export interface GrantProblem {
  readonly ok: false;
  readonly field:
    | 'allow'
    | 'deny'
    | 'methods'
    | 'limits'
    | 'addresses'
    | 'clearance'
    | 'yields'
    | 'critical'
    | 'websocket'
    | 'tls'
    | 'body'
    | 'approval'
    | 'permit';
  readonly message: string;
  readonly mend: string | null;
}

export function wrongGrant(field: GrantProblem['field'], message: string, mend: string | null = null): GrantProblem {
  return { ok: false, field, message, mend };
}
