export type { LedgerErrorCode } from './error.ts';
export { type Leaf, readLeaves } from './export/leaves.ts';
export { type OcsfEvent, toOcsf } from './export/ocsf.ts';
export { type OtelLine, toOtel } from './export/otel.ts';
export { JournalArchive, readJournal } from './journal/archive.ts';
export { journalThatIsDown } from './journal/down.ts';
export { type JournalFiles, nodeFiles } from './journal/files.ts';
export type { EntryDraft, Head, Journal, JournalOptions } from './journal/journal.ts';
export type { Cut, RecoveryReport } from './journal/recovery.ts';
export { listWriters, listWriters as listTenants } from './journal/segment.ts';
export type { SessionPast } from './journal/state.ts';
export { type JournalRecord, JournalTail, type Position, type TailOptions, type TailProblem } from './journal/tail.ts';
export { openJournal } from './journal/writer.ts';
export { limits as ledgerLimits } from './limits.ts';
export { type Lock, openLock } from './lock.ts';
export { KeyFiles, type KeyFilesOptions, KeyStore } from './seal/key-files.ts';
export { SessionKeyring } from './seal/keyring.ts';
export { type BodyKeys, noKeys, openBody } from './seal/open.ts';
export { type BodyKey, type Sealing, sealBody } from './seal/seal.ts';
export { openTree, type TreeOptions } from './tree/integrator.ts';
export { headData, infrastructureName, type LoggedHead, toLoggedHead } from './tree/logged-head.ts';
export { addSecondKey, type CheckpointSigner, createCheckpointKey, openSigner, splitNote } from './tree/note.ts';
export { type ProofVerdict, verifyProof } from './tree/proof.ts';
export {
  encodeReceipt,
  parseReceipt,
  type Receipt,
  type ReceiptVerdict,
  verifyReceipt,
  verifyReceiptThrough,
} from './tree/receipt.ts';
export type { IntegratedRecord, Integration, LedgerTree, TreeEntry, TreeHead } from './tree/tree.ts';
export type { ApprovalsOptions } from './verify/approvals.ts';
export { type DecisionsOptions, verifyDecisions } from './verify/decisions.ts';
export type { JudgeEndorsement, RecordedEndorsement } from './verify/endorsements.ts';
export { type Frame, framesOf } from './verify/frames.ts';
export type { InfrastructureOptions } from './verify/infrastructure.ts';
export { PolicyRecords } from './verify/policies.ts';
export type { RecordedDecision, RecordedPolicies, Replay, Replayed } from './verify/replay.ts';
export {
  type Failure,
  Findings,
  mergeParts,
  type PartReport,
  toReport,
  type VerifyPart,
  type VerifyReport,
  verifyParts,
} from './verify/report.ts';
export type { JudgeApproval, RecordedUse } from './verify/use.ts';
export { type VerifyOptions, verifyLedger } from './verify/verify.ts';
export {
  type Cosigner,
  checkCosignature,
  createWitnessKey,
  openCosigner,
  parseCosignatureKey,
} from './witness/cosignature.ts';
export { type PolicyWitness, parseWitnessPolicy, type WitnessPolicy } from './witness/policy.ts';
export { type AddCheckpoint, encodeAddCheckpoint } from './witness/request.ts';
export { Witness, type WitnessAnswer, type WitnessOptions } from './witness/witness.ts';
