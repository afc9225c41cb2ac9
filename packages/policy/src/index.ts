export {
  type ApprovalCode,
  type ApprovalQuestion,
  type CheckedApprovals,
  checkApprovals,
  openApproval,
} from './approval/check.ts';
export { type CheckedReceipt, checkReceipt, digestHold, type HeldCode, type ReceiptCode } from './approval/receipt.ts';
export { digestApproval, parseApproval } from './approval/record.ts';
export { countsAsDenial, type RecordedDenial } from './breaker/counts.ts';
export {
  type BreakerLevel,
  type DenialBreaker,
  denialLevel,
  levelOf,
  noteDenial,
  untripped,
} from './breaker/denials.ts';
export {
  beginProbe,
  failedOutcome,
  healthy,
  noteOutcome,
  type SinkBreaker,
  sinkLevel,
} from './breaker/sink.ts';
export { type Bundle, type BundleContent, type BundleResult, buildBundle, openBundle } from './bundle/bundle.ts';
export type { Manifest } from './bundle/manifest.ts';
export {
  checkSignatures,
  firstRoot,
  openRoot,
  signaturesFor,
  type TrustRoot,
  trustBytes,
} from './bundle/trust.ts';
export { type CanonicalCode, type CanonicalHost, canonicalHost, type HostKind } from './canonical/host.ts';
export {
  type CanonicalOrigin,
  type CanonicalTunnel,
  canonicalOrigin,
  canonicalTunnel,
  type Scheme,
  type TunnelScheme,
} from './canonical/origin.ts';
export { type CanonicalPath, canonicalPath, type PathOptions, route } from './canonical/path.ts';
export { type CanonicalUrl, canonicalUrl } from './canonical/url.ts';
export { ceilingFor, coreCeiling, coreRuleIds, openTenant } from './core.ts';
export { authorize } from './decide/authorize.ts';
export { type Allow, type Decision, type Deny, type DenyCode, type Hold, tierOf } from './decide/decision.ts';
export type { Obligations } from './decide/obligation.ts';
export { type RateAnswer, takeRate } from './decide/rate.ts';
export {
  type CheckedEndorsement,
  checkEndorsement,
  type EndorsementCode,
  type EndorsementQuestion,
  openEndorsement,
  trafficOf,
} from './endorsement/check.ts';
export { isDestination, isNamedBy, rangeText } from './endorsement/destination.ts';
export { type CheckedEndorsementReceipt, checkEndorsementReceipt } from './endorsement/receipt.ts';
export { digestEndorsement, digestTerms, parseEndorsement, termsOf } from './endorsement/record.ts';
export { createEngine, type Engine, type EngineOptions } from './engine/engine.ts';
export { compileEngine, type EngineCode, type WasmModule } from './engine/wasm.ts';
export { PolicyError, type PolicyErrorCode, type Refusal } from './error.ts';
export {
  type Approval,
  type ApprovalFacts,
  type CounterFacts,
  createFacts,
  defaultEffect,
  digestFacts,
  type Facts,
  type FactsInput,
  type Flow,
  hashIntent,
  isByPeople,
  type LabelFacts,
  noApproval,
  unknownFlow,
  usualFlow,
} from './fact/facts.ts';
export { factsSchema, type JsonSchema } from './fact/facts-schema.ts';
export type { Effect } from './fact/field.ts';
export { schemaText } from './fact/schema.ts';
export type { Rate } from './gate/annotation.ts';
export { compileLayer, type LayerResult } from './gate/layer.ts';
export type { PolicyProblem, ProblemCode } from './gate/problem.ts';
export { type AllowResult, parseAllow } from './grant/allow.ts';
export { type CompiledGrants, type CompileOptions, compileGrants, type GrantsResult } from './grant/compile.ts';
export { type ExactGrant, exactGrant } from './grant/exact.ts';
export type { Clearance, Grant } from './grant/grant.ts';
export { type MergeResult, mergeLayer } from './grant/merge.ts';
export { suggestGrant } from './grant/suggest.ts';
export type { JsonError, JsonErrorCode } from './json/error.ts';
export { type JsonProfile, type JsonResult, parseJson } from './json/parse.ts';
export { isUnread, type Json, Unread } from './json/value.ts';
export { type KnownNames, knownNames } from './known-names.ts';
export { flowAgain } from './label/again.ts';
export { type FlowAnswer, type FlowQuestion, flowOf } from './label/flow.ts';
export {
  type Confidentiality,
  createLabel,
  digestLabel,
  type Integrity,
  isSameLevel,
  joinLabels,
  type Label,
  type LabelParts,
  lostLabel,
  parseLabel,
} from './label/label.ts';
export { type Chosen, LeakMeter } from './label/leak.ts';
export { entitiesOf, namedByOrder } from './label/named.ts';
export {
  createAskingProvenance,
  createContextProvenance,
  createEndorsedProvenance,
  type Provenance,
} from './label/provenance.ts';
export { type Sink, sinksOf } from './label/sink.ts';
export { limits as policyLimits } from './limits.ts';
export {
  consumePermit,
  createPermit,
  createPermitMinter,
  discardPermit,
  type Effect as PermitEffect,
  type Permit,
  type PermitMinter,
} from './permit/permit.ts';
export {
  acceptSigned,
  createSigningOrder,
  type RequestOnWire,
  type SignedPermit,
  type SigningOrder,
} from './permit/signed.ts';
export { createSnapshot, type PolicySnapshot, type SnapshotOptions, type SnapshotResult } from './snapshot.ts';
export { diffSpace, type SpaceChange, type SpaceDiff } from './space/diff.ts';
export { type PropertyCode, propertyCodes, propertyTexts } from './space/property.ts';
export {
  type Proof,
  type ProofOptions,
  prove,
  proveAll,
  readsOrdered,
  type SpaceFinding,
  type SpaceProgress,
} from './space/prove.ts';
export { rulesFor, type Transport, transportFor } from './transport.ts';
export { type PolicyTestCase, type PolicyTestResult, runPolicyTests } from './verb/cases.ts';
export { type CheckedFile, checkPolicyText, type PolicyFile } from './verb/cedar-file.ts';
export { explain, type LayerExplanation, type PolicyExplanation } from './verb/explain.ts';
export { type FactChange, nearestAllowed } from './verb/nearest.ts';
