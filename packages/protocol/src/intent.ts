import type { RecordValue } from './canonical.ts';

/** All actions that exist in the schema (validation.md §2.1 of the design); adapters come one by one. */
export type ActionName =
  | 'http.request'
  | 'http.upgrade'
  | 'http.message'
  | 'http.tunnel'
  | 'model.generate'
  | 'model.list'
  | 'toolcall.invoke'
  | 'mcp.call'
  | 'mcp.read'
  | 'mcp.prompt'
  | 'mcp.list'
  | 'peer.call'
  | 'peer.accept'
  | 'session.spawn'
  | 'process.exec'
  | 'file.open'
  | 'file.apply'
  | 'tunnel.open'
  | 'tunnel.accept';

export type PayloadKind = 'none' | 'json' | 'form' | 'text' | 'opaque';
export interface Payload {
  readonly sha256: string;
  readonly bytes: number;
  readonly kind: PayloadKind;
}

/**
 * One action, content only: the same bytes tried again have the same hash, so that an approval finds them.
 * What differs from try to try is in {@link Attempt}. Effects are built from `args` and the hashed payload (I2).
 */
export interface Intent {
  readonly v: 'intent/1';
  readonly tenant: string;
  readonly session: string;
  readonly agent: string;
  /** Digest of the verified delegation chain, person first. */
  readonly chain: string;
  /** 16 bytes in hex, one per session, so that nobody can guess a short argument from the intent's hash. */
  readonly salt: string;
  readonly action: ActionName;
  readonly resource: string;
  readonly args: { readonly [name: string]: RecordValue };
  readonly payload: Payload;
}

/** `args` of `http.request`: everything that will be forwarded, in order, as it will be written. */
export interface HttpArgs {
  readonly [name: string]: RecordValue;
  readonly method: string;
  readonly path: string;
  readonly query: ReadonlyArray<readonly [string, string]>;
  readonly headers: ReadonlyArray<readonly [string, string]>;
}

/** One try at an intent. `seq` and `prev` are the session's own gapless chain. */
export interface Attempt {
  readonly v: 'attempt/1';
  readonly id: string;
  readonly intent: string;
  readonly seq: number;
  readonly prev: string;
  readonly at: string;
  /** Which gateway and connection, for people who read the ledger. */
  readonly channel: string;
  readonly cause: string | null;
}
