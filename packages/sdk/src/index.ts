export { type ApprovalFilter, Approvals, type Question, type Verdict } from './approvals.ts';
export { Attachment, type Output } from './attachment.ts';
export { Breakers } from './breakers.ts';
export {
  type Capability,
  Cordon,
  connect,
  type DecisionFilter,
  type LiftAnswer,
  type PolicyCheck,
  type PolicyFile,
  type PolicyTest,
  type RefusalFilter,
  type SecretInfo,
  type Stop,
  type StopScope,
  type SuggestRequest,
} from './cordon.ts';
export { type EndorsementDraft, type EndorsementFilter, Endorsements, type Signing } from './endorsements.ts';
export { ApiError, type SdkErrorCode } from './error.ts';
export { type KnownPerson, People, type WhoAmI } from './people.ts';
export { type Envelope, type PackOrder, Policies, type PolicyReference } from './policies.ts';
export {
  type ApplyAnswer,
  type Change,
  type ExecRequest,
  type PolicyView,
  SessionHandle,
  Sessions,
  type StopAnswer,
} from './session.ts';
export type { ApiAnswer, ApiRequest, ByteStream, Transport } from './transport.ts';
