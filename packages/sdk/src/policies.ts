import type {
  PolicyActivation,
  PolicyDiff,
  PolicyGenerationView,
  PolicyPack,
  PolicyShadow,
  TrafficReport,
  TrustRootView,
} from '@cordon/protocol';
import * as api from '@cordon/protocol/api';
import type { z } from 'zod';
import type { ApiClient } from './client.ts';

export type PolicyReference = z.input<typeof api.policyReference>;
export type PackOrder = z.input<typeof api.policyPackRequest>;
/** DSSE; `signEnvelope` of `@cordon/protocol/dsse` makes one. */
export type Envelope = z.input<typeof api.envelope>;

/** From files to a policy in force, and back. Only `activate` and `rotate` change what is decided. */
export class Policies {
  readonly #client: ApiClient;

  constructor(client: ApiClient) {
    this.#client = client;
  }

  /** A bundle to follow what is in force; sign its `manifest`. */
  pack(order: PackOrder): Promise<PolicyPack> {
    return this.#client.call('POST', '/v1/policy/pack', api.policyPackAnswer, { body: order });
  }

  /** What somebody else's bundle (base64) is. */
  inspect(bundle: string): Promise<PolicyPack> {
    return this.#client.call('POST', '/v1/policy/inspect', api.policyPackAnswer, { body: { bundle } });
  }

  activate(bundle: string, envelope: Envelope): Promise<PolicyActivation> {
    return this.#client.call('POST', '/v1/policy/activate', api.policyActivateAnswer, { body: { bundle, envelope } });
  }

  async history(): Promise<PolicyGenerationView[]> {
    return (await this.#client.call('GET', '/v1/policy/generations', api.policyHistory)).generations;
  }

  /** `since`: also over the requests that were recorded since then. */
  diff(before: PolicyReference, after: PolicyReference, since?: string): Promise<PolicyDiff> {
    const body = { before, after, ...(since === undefined ? {} : { since }) };
    return this.#client.call('POST', '/v1/policy/diff', api.policyDiffAnswer, { body });
  }

  replay(candidate: PolicyReference, since?: string): Promise<TrafficReport> {
    const body = { candidate, ...(since === undefined ? {} : { since }) };
    return this.#client.call('POST', '/v1/policy/replay', api.trafficReport, { body });
  }

  /** What the candidate that judges beside has said so far. */
  shadow(): Promise<PolicyShadow> {
    return this.#client.call('GET', '/v1/policy/shadow', api.policyShadow);
  }

  startShadow(candidate: PolicyReference): Promise<PolicyShadow> {
    return this.#client.call('PUT', '/v1/policy/shadow', api.policyShadow, { body: { candidate } });
  }

  stopShadow(): Promise<PolicyShadow> {
    return this.#client.call('DELETE', '/v1/policy/shadow', api.policyShadow);
  }

  trust(): Promise<TrustRootView> {
    return this.#client.call('GET', '/v1/policy/trust', api.trustRoot);
  }

  rotate(envelope: Envelope): Promise<TrustRootView> {
    return this.#client.call('PUT', '/v1/policy/trust', api.trustRoot, { body: { envelope } });
  }
}
