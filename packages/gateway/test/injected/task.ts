import type { Grant, LabelParts } from '@cordon/policy';

export interface Call {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly body?: Readonly<Record<string, unknown>>;
}

/** What a person asks for, and the calls of somebody who does it right. */
export interface Task {
  readonly order: string;
  readonly calls: readonly Call[];
}

/** What an attacker wants, as the call that does it. */
export interface Goal {
  readonly name: string;
  readonly call: Call;
  /**
   * `effect`: something goes where it must not, or is done that nobody asked for. `content`: the right place is told
   * something else, which no rule about places can see.
   */
  readonly kind: 'effect' | 'content';
  /** The task's own call with the attacker's arguments; null where it has none of them. */
  readonly swap?: (call: Call) => Call | null;
}

/** One kind of work: what its sessions may do, what they start with, and what is tried against them. */
export interface Suite {
  readonly name: string;
  readonly grants: readonly Grant[];
  readonly start: LabelParts;
  readonly tasks: readonly Task[];
  readonly goals: readonly Goal[];
}

export const get = (host: string, path: string): Call => ({ method: 'GET', host, path });
export const post = (host: string, path: string, body: Call['body'] = {}): Call => ({
  method: 'POST',
  host,
  path,
  body,
});
/** A turn of the model: it is told all that the agent has seen. */
export const think: Call = post('model.example', '/v1/messages', { messages: ['what now?'] });
export const model: Grant = {
  allow: 'model.example/v1/**',
  methods: ['POST'],
  clearance: 'private',
  yields: 'derived',
};
/** The workspace belongs to the person alone, and is private. */
export const own: LabelParts = { integrity: 2, confidentiality: 2, readers: ['root'], sources: ['workspace'] };
/** What an injected call carries out. */
export const loot = 'IBAN DE89370400440532013000 and the customers of acme';
