import type { Label } from '@cordon/policy';
import type {
  EndorsementTaken,
  EndorsementUse,
  GatewayUplink,
  HoldNews,
  HoldOrder,
  HoldTaken,
  HoldUse,
  RecordValue,
} from '@cordon/protocol';
import { Secret } from '@cordon/secrets';
import { GatewayError } from '../error.ts';
import type { HoldPort } from '../hold/desk.ts';
import type { GatewayLimits } from '../limits.ts';
import type { Uplink } from './uplink.ts';

/** What a session's requests need of the control plane while they wait. Each rejects when it is away (I3). */
export class ControlAsks implements HoldPort {
  readonly #uplink: () => Uplink;
  readonly #limits: GatewayLimits;

  constructor(uplink: () => Uplink, limits: GatewayLimits) {
    this.#uplink = uplink;
    this.#limits = limits;
  }

  /** @throws GatewayError `control-lost`; the control plane's own code when it refuses */
  async lease(request: GatewayUplink['lease']['params']): Promise<{ value: Secret; expiresAt: string }> {
    const { value, expiresAt } = await this.#channel().call('lease', request, this.#limits.credentialTimeoutMs);
    return { value: Secret.from(value), expiresAt };
  }

  /** @throws GatewayError `control-lost`; the control plane's own code when it refuses */
  async storeLabel(session: string, label: Label): Promise<void> {
    const params = { session, label: label as unknown as RecordValue };
    await this.#channel().call('label', params, this.#limits.labelTimeoutMs);
  }

  /** People are asked about an intent. @throws GatewayError `control-lost`; the control plane's own code */
  async open(order: HoldOrder): Promise<HoldNews> {
    return await this.#channel().call('hold.open', order, this.#limits.holdCallTimeoutMs);
  }

  /** One use of what they approved. @throws GatewayError `control-lost`; the control plane's own code */
  async use(use: HoldUse): Promise<HoldTaken> {
    return await this.#channel().call('hold.use', use, this.#limits.holdCallTimeoutMs);
  }

  /** One use of what people have named. @throws GatewayError `control-lost`; the control plane's own code */
  async endorse(use: EndorsementUse): Promise<EndorsementTaken | null> {
    return await this.#channel().call('endorsement.use', use, this.#limits.holdCallTimeoutMs);
  }

  #channel(): NonNullable<Uplink['channel']> {
    const { channel } = this.#uplink();
    if (channel === null) throw new GatewayError('control-lost', 'the control plane is away');
    return channel;
  }
}
