import type { Journal, KeyStore, LedgerTree } from '@cordon/ledger';
import type { Engine } from '@cordon/policy';
import type { Clock, PermitPublicKey, Random } from '@cordon/protocol';
import type { Signer } from '@cordon/protocol/dsse';
import type { SecretStore } from '@cordon/secrets';
import type { Store } from '@cordon/store';
import type { WebhookPost } from './approvals/webhook.ts';
import type { SocketPaths, SupervisorSource } from './daemon.ts';
import type { HostFiles } from './files.ts';
import type { InfrastructureOptions } from './ledger/infrastructure.ts';
import type { AskWitness } from './ledger/witnessing.ts';
import type { Log } from './log.ts';
import type { Operator, PeopleFile } from './people/people.ts';
import type { Profiles } from './profile/load.ts';

/** Everything that a control plane is made of and does not make itself; the composition root gives it. */
export interface ControlPlaneOptions {
  readonly version: string;
  readonly pid: number;
  readonly boot: string;
  readonly home: string;
  readonly sockets: SocketPaths;
  readonly tenant: string;
  /** Whom sessions act for, and who calls the local socket: the owner of the daemon. */
  readonly person: string;
  readonly nodeProgram: string;
  /** Folders that no sandbox may see any part of: our state, our sockets. Resolved, without links. */
  readonly ownFolders: readonly string[];
  /** Test-only overrides, in words: a warning in `status`, and part of every `session.start`. */
  readonly overrides: () => readonly string[];
  readonly store: Store;
  /** Opens the control plane's own journal; again when it failed. */
  readonly openJournal: () => Promise<Journal>;
  /** `ledger/journal/<tenant>` */
  readonly journals: string;
  /** Keys of what is kept beside the entries; deleting a session's shreds it. */
  readonly bodyKeys: KeyStore;
  readonly tree: LedgerTree;
  /** `$CORDON_HOME/witnesses` (C2SP tlog-policy): who is asked to cosign heads. */
  readonly witnessFile: string;
  readonly askWitness: AskWitness;
  readonly publicKey: string;
  /** The host's own tree, which logs the heads of the tenants'. */
  readonly infrastructure: InfrastructureOptions;
  readonly secrets: SecretStore;
  readonly authority: AuthoritySource;
  /** Signs receipts for uses of approvals, and nothing else. */
  readonly approvalSigner: Signer;
  readonly postWebhook: WebhookPost;
  readonly people: { readonly file: PeopleFile; readonly operator: Operator };
  /** By which effectors know this host's permits; the private half is the supervisor's. */
  readonly permitKey: PermitPublicKey;
  readonly engine: Engine;
  readonly profiles: Profiles;
  readonly policyDirectory: string;
  readonly files: HostFiles;
  readonly supervisor: SupervisorSource;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** A client asked for the end of everything. */
  readonly shutdownRequested: () => void;
}

/** The tenant's interception CA. It is renewed only while no session relies on it. */
export interface AuthoritySource {
  current(): { readonly certificate: string; readonly key: string };
  readonly due: boolean;
  renew(): Promise<void>;
}
