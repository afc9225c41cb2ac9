import * as z from 'zod/mini';
import { limits } from './limits.ts';

export * from './api/approval.ts';
export * from './api/breakers.ts';
export * from './api/budgets.ts';
export * from './api/endorsement.ts';
export * from './api/keys.ts';
export * from './api/ledger.ts';
export * from './api/people.ts';
export * from './api/policy.ts';
export * from './api/suggest.ts';

/**
 * The HTTP API under `/v1`. These schemas validate requests, type the SDK and generate the OpenAPI document.
 * Unknown members are errors: a misspelt option must not silently mean its default.
 */

const hostPattern = z.string().check(z.minLength(1), z.maxLength(2048));
const environment = z._default(
  z
    .record(z.string().check(z.maxLength(256)), z.string().check(z.maxLength(128 * 1024)))
    .check(z.refine((env) => Object.keys(env).length <= limits.environmentVariablesMax, 'too many variables')),
  {},
);

export const sessionRequest = z.strictObject({
  command: z.array(z.string()).check(z.minLength(1), z.maxLength(limits.commandArgumentsMax)),
  profile: z.optional(z.string().check(z.maxLength(64))),
  name: z.optional(z.string().check(z.regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'a lower-case DNS label'))),
  driver: z._default(z.enum(['process', 'gvisor', 'microvm', 'auto']), 'auto'),
  allowWeaker: z._default(z.array(z.enum(['namespaces', 'landlock', 'seccomp', 'cgroups', 'uid'])), []),
  workspace: z.string().check(z.startsWith('/')),
  workspaceMode: z.optional(z.enum(['direct', 'proposal'])),
  /** Text of a policy file (YAML grants or Cedar), and its name for messages. */
  policy: z.optional(
    z.strictObject({
      name: z.string().check(z.maxLength(4096)),
      text: z.string().check(z.maxLength(limits.apiBodyBytesMax)),
    }),
  ),
  /** `HOST[/PATH][:METHODS]`, as on the command line. */
  allow: z._default(z.array(hostPattern).check(z.maxLength(limits.sessionGrantsMax)), []),
  task: z.optional(z.string().check(z.maxLength(limits.taskTextCharsMax))),
  tenant: z._default(z.string().check(z.maxLength(63)), 'local'),
  ttlMs: z.optional(z.int().check(z.gte(1000), z.lte(7 * 24 * 3600_000))),
  resources: z._default(
    z.strictObject({
      cpuMillis: z.optional(z.int().check(z.gte(10))),
      memoryBytes: z.optional(z.int().check(z.gte(16 * 1024 * 1024))),
      pidsMax: z.optional(z.int().check(z.gte(4))),
      diskBytes: z.optional(z.int().check(z.gte(1024 * 1024))),
      openFilesMax: z.optional(z.int().check(z.gte(16))),
    }),
    {},
  ),
  /** Extra variables, said by the person with `--env`; nothing of the caller's environment is taken by itself. */
  env: environment,
  terminal: z._default(
    z.nullable(
      z.strictObject({ cols: z.int().check(z.gte(1), z.lte(10_000)), rows: z.int().check(z.gte(1), z.lte(10_000)) }),
    ),
    null,
  ),
});
export type SessionRequest = z.input<typeof sessionRequest>;
export type SessionOrder = z.output<typeof sessionRequest>;

export const exitReport = z.strictObject({
  status: z.int(),
  reason: z.enum(['exited', 'signaled', 'killed', 'lost']),
  signal: z.nullable(z.string()),
  detail: z.nullable(z.string()),
});

export const sandboxReport = z.strictObject({
  driver: z.string(),
  grade: z.string(),
  layers: z.record(z.string(), z.string()),
  weaker: z.array(z.string()),
  capture: z.string(),
  sockets: z.string(),
  uid: z.int(),
  startMs: z.number(),
});

export const session = z.strictObject({
  id: z.string(),
  tenant: z.string(),
  agent: z.string(),
  profile: z.string(),
  person: z.string(),
  state: z.enum(['starting', 'running', 'frozen', 'ended']),
  command: z.array(z.string()),
  workspace: z.string(),
  workspaceMode: z.enum(['direct', 'proposal']),
  startedAt: z.string(),
  endedAt: z.nullable(z.string()),
  sandbox: z.nullable(sandboxReport),
  exit: z.nullable(exitReport),
  decisions: z.strictObject({ allow: z.int(), deny: z.int() }),
  /** What this session may do beyond its profile, in words; printed by `run`. */
  grants: z.array(z.string()),
  etag: z.string(),
});
export type Session = z.infer<typeof session>;

export const sessionPage = z.strictObject({ sessions: z.array(session), next: z.nullable(z.string()) });

export const execRequest = z.strictObject({
  command: z.array(z.string()).check(z.minLength(1), z.maxLength(limits.commandArgumentsMax)),
  env: environment,
  cwd: z.optional(z.string()),
  terminal: z._default(
    z.nullable(z.strictObject({ cols: z.int().check(z.gte(1)), rows: z.int().check(z.gte(1)) })),
    null,
  ),
});
export const execAnswer = z.strictObject({ id: z.string() });

/** One canonical record per intent, written from the journal (gateway.md §7). */
export const decision = z.strictObject({
  attempt: z.string(),
  at: z.string(),
  session: z.string(),
  agent: z.string(),
  action: z.string(),
  resource: z.string(),
  /** Method and path for people; from the kept intent, never part of a metric. */
  summary: z.string(),
  outcome: z.enum(['allow', 'deny', 'hold']),
  code: z.string(),
  reasons: z.array(z.string()),
  next: z.array(z.string()),
  intent: z.string(),
  generation: z.int(),
  revision: z.int(),
  status: z.nullable(z.int()),
  bytesIn: z.nullable(z.int()),
  bytesOut: z.nullable(z.int()),
  /** What became of an allowed effect: `relayed`, or the code of what ended it. */
  result: z.nullable(z.string()),
});
export type Decision = z.infer<typeof decision>;
export const decisionPage = z.strictObject({ decisions: z.array(decision), next: z.nullable(z.string()) });

/** A request that was refused before there was anything to decide: malformed, over a limit, of two readings. */
export const refusal = z.strictObject({
  at: z.string(),
  session: z.string(),
  code: z.string(),
  /** The gateway's own words; what it quotes is bounded and escaped. */
  detail: z.string(),
  channel: z.string(),
  /** Where the client wanted to go, as far as that was known. */
  resource: z.nullable(z.string()),
  /** Refusals before this one that were only counted. */
  suppressed: z.int(),
});
export type RefusedRequest = z.infer<typeof refusal>;
export const refusalPage = z.strictObject({ refusals: z.array(refusal), next: z.nullable(z.string()) });

/** `cordon policy explain ID`: the decision with everything it was made from. */
export const explanation = z.strictObject({
  decision,
  record: z.record(z.string(), z.unknown()),
  intent: z.nullable(z.record(z.string(), z.unknown())),
  facts: z.nullable(z.record(z.string(), z.unknown())),
  layers: z.array(z.strictObject({ layer: z.string(), permits: z.array(z.string()), forbids: z.array(z.string()) })),
  /** Cedar text of every policy that decided. */
  policies: z.record(z.string(), z.string()),
  /** Each a way to be allowed: one fact changed, else two; empty where facts alone would not do. */
  nearest: z.array(z.array(z.strictObject({ fact: z.string(), from: z.string(), to: z.string() }))),
  /** Questions to people about these very bytes, oldest first, and what they answered. */
  approvals: z.array(
    z.strictObject({
      hold: z.string(),
      state: z.string(),
      rung: z.strictObject({ quorum: z.int(), strong: z.boolean() }),
      at: z.string(),
      answers: z.array(z.strictObject({ person: z.string(), verdict: z.string(), at: z.string() })),
    }),
  ),
});
export type Explanation = z.infer<typeof explanation>;

export const change = z.strictObject({
  path: z.string(),
  kind: z.enum(['create', 'modify', 'delete', 'mode', 'symlink', 'directory']),
  before: z.nullable(z.string()),
  after: z.nullable(z.string()),
  bytes: z.int(),
  mode: z.nullable(z.int()),
  protected: z.boolean(),
  refused: z.nullable(z.string()),
  diff: z.nullable(z.string()),
});
export const changeList = z.strictObject({ changes: z.array(change) });
export const applyRequest = z.strictObject({
  /** null: everything that is not protected. */
  paths: z._default(z.nullable(z.array(z.string())), null),
  protectedPaths: z._default(z.array(z.string()), []),
});
export const applyAnswer = z.strictObject({
  applied: z.array(z.string()),
  refused: z.array(z.strictObject({ path: z.string(), why: z.string() })),
});

export const stopScope = z.union([
  z.strictObject({ session: z.string() }),
  z.strictObject({ agent: z.string() }),
  z.strictObject({ all: z.literal(true) }),
]);
export const stopRequest = z.strictObject({
  scope: stopScope,
  strength: z.enum(['freeze', 'kill']),
  reason: z._default(z.string().check(z.maxLength(4096)), ''),
});
export const stop = z.strictObject({
  id: z.string(),
  scope: stopScope,
  strength: z.enum(['freeze', 'kill']),
  reason: z.string(),
  at: z.string(),
  by: z.string(),
  liftedAt: z.nullable(z.string()),
});
export const stopAnswer = z.strictObject({
  stop,
  sessions: z.array(
    z.strictObject({ session: z.string(), confirmed: z.boolean(), ms: z.number(), processesLeft: z.int() }),
  ),
});
export const liftRequest = z.strictObject({
  scope: stopScope,
  reason: z._default(z.string().check(z.maxLength(4096)), ''),
});
export const liftAnswer = z.strictObject({ lifted: z.array(stop), thawed: z.array(z.string()) });
export const stopList = z.strictObject({ stops: z.array(stop) });

export const secretRequest = z.strictObject({
  value: z.string().check(z.minLength(1), z.maxLength(64 * 1024)),
});
export const secretInfo = z.strictObject({
  name: z.string(),
  version: z.int(),
  createdAt: z.string(),
  lastUsedAt: z.nullable(z.string()),
});
export const secretList = z.strictObject({ secrets: z.array(secretInfo) });

export const capability = z.strictObject({
  name: z.string(),
  works: z.boolean(),
  detail: z.string(),
  cost: z.string(),
  mend: z.nullable(z.string()),
});
export const doctorAnswer = z.strictObject({ capabilities: z.array(capability) });

export const status = z.strictObject({
  version: z.string(),
  pid: z.int(),
  startedAt: z.string(),
  home: z.string(),
  roles: z.array(z.strictObject({ role: z.string(), pid: z.int(), state: z.string(), restarts: z.int() })),
  sessions: z.strictObject({ running: z.int(), frozen: z.int() }),
  ledger: z.strictObject({ size: z.int(), root: z.string(), at: z.string() }),
  recovered: z.array(z.string()),
  warnings: z.array(z.string()),
});
export type Status = z.infer<typeof status>;

export const sessionStats = z.strictObject({
  session: z.string(),
  agent: z.string(),
  state: z.enum(['starting', 'running', 'frozen', 'ended']),
  startedAt: z.string(),
  /** Of its sandbox; null: not known now. */
  processes: z.nullable(z.int()),
  memoryBytes: z.nullable(z.int()),
  /** Since the start. */
  cpuMs: z.nullable(z.int()),
  decisions: z.strictObject({ allow: z.int(), deny: z.int() }),
  /** Since the start: bytes of answers, and of requests that went out. */
  bytesIn: z.int(),
  bytesOut: z.int(),
  inFlight: z.nullable(z.int()),
  lastDenial: z.nullable(
    z.strictObject({ at: z.string(), attempt: z.string(), summary: z.string(), code: z.string() }),
  ),
});
/** One look at everything that is alive; rates come from two of them. */
export const stats = z.strictObject({
  at: z.string(),
  sessions: z.array(sessionStats),
  gateways: z.array(
    z.strictObject({
      pid: z.int(),
      /** It may decide; null: it did not answer. */
      live: z.nullable(z.boolean()),
      sockets: z.int(),
      inFlight: z.int(),
    }),
  ),
  ledger: z.strictObject({
    size: z.int(),
    /** Entries that gateways have written and the tree has not taken in yet. */
    lag: z.int(),
    /** What is wrong with a journal. */
    problems: z.array(z.string()),
  }),
  /** One resource denied in many sessions of several agents, in the last hour, in words. */
  alarms: z.array(z.string()),
});
export type Stats = z.infer<typeof stats>;
export type SessionFigures = z.infer<typeof sessionStats>;

export const ledgerEntry = z.strictObject({
  index: z.int(),
  leaf: z.string(),
  entry: z.record(z.string(), z.unknown()),
});
export const ledgerPage = z.strictObject({ entries: z.array(ledgerEntry), next: z.nullable(z.int()) });
export const ledgerProof = z.strictObject({
  index: z.int(),
  leaf: z.string(),
  entry: z.record(z.string(), z.unknown()),
  path: z.array(z.string()),
  checkpoint: z.string(),
  publicKey: z.string(),
  /** The same as one file (C2SP tlog-proof), for whoever is to check it. */
  receipt: z.string(),
  /** Where it was asked for: the receipt of the entry by which the infrastructure's tree has logged this head. */
  head: z.optional(z.string()),
});
export type LedgerProof = z.infer<typeof ledgerProof>;

export const ledgerKey = z.strictObject({ publicKey: z.string() });
export const ledgerCheckpoint = z.strictObject({ checkpoint: z.string(), publicKey: z.string() });

/** The answer of what has nothing to say but that it was done. */
export const done = z.strictObject({});

export const problem = z.strictObject({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.string(),
  intent: z.optional(z.string()),
  attempt: z.optional(z.string()),
  next_steps: z.array(z.string()),
});
