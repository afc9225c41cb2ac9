// Compiled by test/types.test.ts: every line below an expectation must fail to compile, and nothing else may.
import type { Recorded } from '@cordon/protocol';
import {
  type Allow,
  acceptSigned,
  createPermit,
  createSigningOrder,
  type Decision,
  type Deny,
  type Permit,
  type PermitMinter,
  type RequestOnWire,
  type SignedPermit,
  type SigningOrder,
} from '../../src/index.ts';

declare const decision: Decision;
declare const recorded: Recorded;
declare const minter: PermitMinter;
declare const body: { readonly [Name in Extract<keyof Permit, string>]: Permit[Name] };
declare function perform(permit: Permit): void;
declare const wire: RequestOnWire;
declare const permit: Permit;
declare const order: SigningOrder;
declare function send(signed: SignedPermit): void;

export function misuse(): void {
  // @ts-expect-error an effect takes a permit
  perform();
  // @ts-expect-error a literal is no permit
  perform({ ...body });
  // @ts-expect-error a decision that was not narrowed is no allow
  createPermit(decision, recorded, minter);
  // @ts-expect-error a record is not optional
  createPermit(decision as Allow, undefined, minter);
  // @ts-expect-error what only looks like a record is none
  createPermit(decision as Allow, { writer: '', wseq: 1, tier: 'os', leaf: '', decision: '' }, minter);
  if (decision.outcome === 'deny') {
    const denied: Deny = decision;
    // @ts-expect-error a deny gives no permit
    createPermit(denied, recorded, minter);
  }
  // @ts-expect-error no literal is an allow
  const forged: Allow = { outcome: 'allow', record: decision.record, digest: decision.digest };
  perform(createPermit(forged, recorded, minter));
}

export function misuseSigned(): void {
  // @ts-expect-error an allow that was not recorded has no signed form
  createSigningOrder(decision as Allow, wire);
  // @ts-expect-error what only looks like a permit has none
  createSigningOrder({ ...body }, wire);
  // @ts-expect-error an order comes from a permit
  acceptSigned({ permit, claims: order.claims }, 'token');
  // @ts-expect-error a token is no signed permit
  send('eyJ');
  // @ts-expect-error nor is a literal of one
  send({ permit, token: 'eyJ' });
  // @ts-expect-error nor is a permit that was not signed
  send(permit);
}

export function use(): void {
  if (decision.outcome !== 'allow') return;
  const made = createPermit(decision, recorded, minter);
  perform(made);
  send(acceptSigned(createSigningOrder(made, wire), 'eyJ'));
}
