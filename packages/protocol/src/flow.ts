import type { RecordValue } from './canonical.ts';

/** What an answer of this place is worth: nothing, what a model makes of what it was told, or what its owner vouches for. */
export type Yields = 'untrusted' | 'derived' | 'vouched';

/** What a critical argument is; the type says which texts mean the same. */
export type CriticalType = 'url' | 'origin' | 'email' | 'path' | 'argv' | 'money' | 'iban' | 'phone' | 'id';

/** An argument in a JSON body that says where something goes, or how much: its place, its type, and which are named. */
export interface CriticalRule {
  /** `/to/*`: a JSON pointer in which `*` is every member. */
  readonly at: string;
  readonly type: CriticalType;
  /** Canonical values that the grant itself names; of e-mail addresses also `@domain`. */
  readonly among: readonly string[];
}

/** What one grant says of labels. It permits nothing; it says what flows where its permit leads. */
export interface SinkRule {
  readonly kind: 'request' | 'websocket' | 'both' | 'tunnel';
  /** Empty: every method. */
  readonly methods: readonly string[];
  readonly path: { readonly segments: readonly (string | null)[]; readonly below: boolean };
  /** 0 public … 3 secret; null: it says nothing. */
  readonly clearance: number | null;
  /** What being named here is worth: 2 by a pattern of names, 3 by a person, 4 by a profile or the tenant. */
  readonly integrity: number;
  readonly yields: Yields;
  readonly critical: readonly CriticalRule[];
}

/** What is known of a session when it starts. Labels travel as records; whoever gets one parses it. */
export interface SessionLabels {
  readonly start: RecordValue;
  /** What the person's order names, as `type value`. */
  readonly order: readonly string[];
  readonly workspace: { readonly path: string; readonly mode: 'direct' | 'proposal' };
}
