import { usualFlow } from '@cordon/policy';
import {
  type ApprovalRecord,
  approvalType,
  canonicalize,
  type HeldDetail,
  type HoldOrder,
  type Intent,
  type RecordValue,
  sealRecord,
} from '@cordon/protocol';
import { digestBytes, digestRecord } from '@cordon/protocol/digest';
import { openSigningKey, signEnvelope } from '@cordon/protocol/dsse';
import { FakeGateway } from './fake-gateway.ts';
import { Harness } from './harness.ts';

const zeros = `sha256:${'0'.repeat(64)}`;
export const flow = { ...usualFlow };

/** A session, its gateway, and what the gateway would hold. */
export class Rig implements AsyncDisposable {
  readonly harness: Harness;
  gateway: FakeGateway;
  session = '';

  private constructor(harness: Harness, gateway: FakeGateway) {
    this.harness = harness;
    this.gateway = gateway;
  }

  static async start(tenant: string | null = null): Promise<Rig> {
    const harness = await Harness.start();
    if (tenant !== null) {
      harness.policyFile('tenant.yaml', tenant);
      await harness.post('/v1/policy/reload');
    }
    const rig = new Rig(harness, await FakeGateway.connect(harness.controlSocket));
    rig.session = await rig.newSession();
    return rig;
  }

  async newSession(): Promise<string> {
    const reply = await this.harness.post('/v1/sessions', this.harness.order());
    if (reply.status !== 201) throw new TypeError(reply.text);
    return (reply.json as { id: string }).id;
  }

  order(body = 'amount=10', change: Partial<HoldOrder> = {}): HoldOrder {
    const policy = this.gateway.sessions.get(this.session);
    const tenant = this.gateway.tenants.at(-1);
    if (policy === undefined || tenant === undefined) throw new TypeError('the gateway was told nothing');
    const sha256 = digestBytes(body).slice('sha256:'.length);
    const intent: Intent = sealRecord({
      ...{ v: 'intent/1' as const, tenant: 'local', session: this.session, agent: policy.agent, chain: policy.chain },
      ...{ salt: policy.salt, action: 'http.request' as const, resource: 'https://pay.example:443' },
      args: { method: 'POST', path: '/pay', query: [], search: null, headers: [['accept', '*/*']] },
      payload: { sha256, bytes: Buffer.byteLength(body), kind: 'form' as const },
    });
    return {
      ...{ session: this.session, attempt: 'att_1', intent, payload: { encoding: 'utf8', data: body } },
      ...{ effect: 'share', undoable: false, flow, unnamed: [], rung: { quorum: 1, strong: false }, groups: [] },
      policy: { generation: tenant.generation, revision: policy.revision, digest: zeros, engine: zeros },
      ...{ code: 'approval-required', reasons: ['session/profile:generic/1'] },
      ...change,
    };
  }

  open(body?: string, change?: Partial<HoldOrder>) {
    return this.gateway.channel.call('hold.open', this.order(body, change));
  }

  use(hold: string, body = 'amount=10', attempt = 'att_2', change: Partial<HoldOrder> = {}) {
    const { intent, policy, flow: labels, session } = this.order(body, change);
    const digest = digestRecord('intent', intent as unknown as RecordValue);
    return this.gateway.channel.call('hold.use', { hold, session, attempt, intent: digest, policy, flow: labels });
  }

  async detail(id: string): Promise<HeldDetail> {
    return (await this.harness.get(`/v1/approvals/${id}`)).json as HeldDetail;
  }

  /** A signed verdict, by the operator's own key unless another is given. */
  async answer(
    id: string,
    by: { key?: string; name?: string; change?: Partial<ApprovalRecord>; reason?: string } = {},
  ) {
    const { record } = await this.detail(id);
    const { json: me } = await this.harness.get('/v1/whoami');
    const answer = {
      ...{ v: 'approval/1', hold: id, intent: record.intent, policy: record.policy, nonce: record.nonce },
      ...{ view: record.view, verdict: 'approve', person: { iss: me.person.iss, sub: by.name ?? 'ada' } },
      ...{ via: 'operator-key', uses: 1, expires: record.expires },
      ...by.change,
    } as unknown as RecordValue;
    const signer = openSigningKey(by.key ?? this.harness.operatorKey.privatePem);
    const envelope = signEnvelope(approvalType, canonicalize(answer), [signer]);
    return await this.harness.post(`/v1/approvals/${id}/verdicts`, { envelope, reason: by.reason ?? '' });
  }

  async state(id: string): Promise<string> {
    return (await this.detail(id)).hold.state;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gateway[Symbol.asyncDispose]();
    await this.harness[Symbol.asyncDispose]();
  }
}
