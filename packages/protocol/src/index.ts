// The schemas themselves are an entry of their own, `@cordon/protocol/api`: who only checks types need not load them.

export type { ApprovedBefore, HeldDetail, HeldIntent } from './api/approval.ts';
export type { Endorsement } from './api/endorsement.ts';
export type * as api from './api.ts';
export type {
  Decision,
  Explanation,
  LedgerProof,
  PolicyActivation,
  PolicyDiff,
  PolicyGenerationView,
  PolicyPack,
  PolicyReference,
  PolicyShadow,
  RefusedRequest,
  Session,
  SessionFigures,
  SessionOrder,
  SessionRequest,
  Stats,
  Status,
  SuggestApart,
  SuggestedGrant,
  Suggestion,
  TrafficReport,
  TrustRootView,
} from './api.ts';
export * from './attach.ts';
export type { Brand } from './brand.ts';
export type { FleetBreaker, OpenBreaker, OpenBreakers } from './breaker.ts';
export {
  type Amounts,
  type Budget,
  type BudgetHolder,
  type BudgetPeriod,
  type BudgetRaise,
  type Budgets,
  type BudgetUnit,
  budgetUnits,
  type Given,
  raiseAction,
} from './budget.ts';
export * from './bundle.ts';
export { canonicalize, type RecordValue, sealRecord } from './canonical.ts';
export * from './channel.ts';
export { type Clock, type Random, systemClock, systemRandom, timestamp } from './clock.ts';
export * from './control.ts';
export type { DecisionCode, DecisionRecord, Outcome } from './decision.ts';
export * from './endorsement.ts';
export { endorsementLines } from './endorsement-lines.ts';
export type { DurabilityTier, Entry, EntryInput, EntryType, Recorded, Seal } from './entry.ts';
export { assertNever, CordonError, isCordonError } from './error.ts';
export type { CriticalRule, CriticalType, SessionLabels, SinkRule, Yields } from './flow.ts';
export * from './hold.ts';
export * from './id.ts';
export type { ActionName, Attempt, HttpArgs, Intent, Payload, PayloadKind } from './intent.ts';
export { limits as protocolLimits } from './limits.ts';
export { type Locations, locationsOf } from './locations.ts';
export {
  audiencePattern,
  type PermitClaims,
  type PermitOrder,
  type PermitPayload,
  parsePermitOrder,
} from './permit/claims.ts';
export type { PermitPublicKey } from './permit/key.ts';
export { type PermitRefusal, permitRefusals } from './permit/refusal.ts';
export { type CoveredParts, coveredRequest } from './permit/request.ts';
export {
  type PermitToken,
  type PermitTokenCode,
  parsePermitToken,
  permitHeader,
  permitSigningInput,
  permitToken,
} from './permit/token.ts';
export { groupName, isOfGroups, type KnownPerson, type Person, personName, personOfKey, samePerson } from './person.ts';
export type { Principal } from './principal.ts';
export { type Problem, problemType } from './problem.ts';
export {
  parseRelayHeader,
  type RelayHeader,
  readRelayHeader,
  relayAccepted,
  relayHeaderBytes,
  relayTokenBytes,
  type SocketPlace,
} from './relay-header.ts';
export type { GatewayTraffic, SessionTraffic } from './traffic.ts';
export { type Difference, differences, type Earlier, kindOf } from './view-difference.ts';
export { marked, viewLines, viewPages } from './view-lines.ts';
