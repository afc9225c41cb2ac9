// One decision that people let through by naming who gets it, in a ledger as a deployment writes it, and what an
// auditor finds when a piece of it is another one.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EntryDraft, openJournal, type PartReport, verifyDecisions, verifyLedger } from '@cordon/ledger';
import {
  authorize,
  compileGrants,
  coreCeiling,
  createFacts,
  createSnapshot,
  digestHold,
  hashIntent,
  openTenant,
  trafficOf,
  usualFlow,
} from '@cordon/policy';
import {
  canonicalize,
  type EndorsementRecord,
  endorsementType,
  type Hold,
  type Intent,
  type RecordValue,
  type SessionPolicy,
  sealRecord,
  type TenantPolicy,
} from '@cordon/protocol';
import { digestRecord } from '@cordon/protocol/digest';
import { createSigningKey, openSigningKey, signEnvelope } from '@cordon/protocol/dsse';
import { afterEach, describe, expect, it } from 'vitest';
import { decisionEntry } from '../../../packages/gateway/src/record.ts';
import { Attempts } from '../../../packages/gateway/src/session/attempts.ts';
import { loadEngine } from '../../../test/support/recorded-ledger.ts';
import { judgeApproval } from '../src/approvals.ts';
import { judgeEndorsement } from '../src/endorsements.ts';
import { Engines } from '../src/engines.ts';
import { createReplay } from '../src/replay.ts';

const made: string[] = [];
afterEach(() => {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true });
});

const person = { iss: 'local:0123456789abcdef', sub: 'ada' };
const [ada, eve] = [createSigningKey(), createSigningKey()];
const engines = new Engines([], false);
const engine = loadEngine();
const id = (kind: string): string => `${kind}_0${'a'.repeat(25)}`;
const session = id('ses');
const at = '2026-01-01T12:00:00.000Z';
const rung = { quorum: 1, strong: false };
const tenant: TenantPolicy = {
  ...{ tenant: 'local', generation: 1, layers: [coreCeiling, openTenant], origins: [], expires: null },
  rungs: [rung],
};

function policyOf(): SessionPolicy {
  const grant = { allow: 'api.github.com/repos/**', methods: ['POST'], clearance: 'private' } as const;
  const compiled = compileGrants([grant], { layer: 'session', source: 'test', preset: false });
  if (!compiled.ok) throw new TypeError(JSON.stringify(compiled.problems));
  return {
    ...{ tenant: 'local', session, agent: 'fixer', person: 'ada', chain: `sha256:${'0'.repeat(64)}` },
    ...{ salt: '0'.repeat(32), revision: 1, layer: { name: 'session', policies: compiled.policies } },
    ...{ origins: compiled.origins, secrets: [], stopped: false, startedAt: at, profile: 'generic' },
  };
}

const policy = policyOf();
const snapshot = (() => {
  const built = createSnapshot(engine, tenant, policy);
  if (!built.ok) throw new TypeError(JSON.stringify(built.problems));
  return built.snapshot;
})();
const named = snapshot.digest;
const name = { generation: 1, revision: 1, digest: named, engine: engine.digest };
const floor = { ...usualFlow, ctxInteg: 0, argInteg: 0, ctxConf: 2, argConf: 2, destInteg: 0 };

const intentOf = (path: string): Intent =>
  sealRecord({
    ...{ v: 'intent/1' as const, tenant: 'local', session, agent: 'fixer', chain: policy.chain, salt: policy.salt },
    ...{ action: 'http.request' as const, resource: 'https://api.github.com:443' },
    args: { method: 'POST', path, query: [], headers: [] },
    payload: { sha256: 'f'.repeat(64), bytes: 0, kind: 'none' as const },
  });

interface Lie {
  readonly signed?: Partial<EndorsementRecord>;
  readonly key?: string;
  readonly hold?: Partial<Hold>;
  readonly used?: { readonly [member: string]: RecordValue };
  readonly names?: readonly string[];
  /** What the facts say of it; null: nothing. */
  readonly endorsed?: { readonly id: string; readonly destInteg: number } | null;
  /** Signed records that the decision names, if not the one. */
  readonly ids?: readonly string[];
  readonly flow?: Partial<typeof floor>;
  readonly fourEyes?: boolean;
  /** Decisions by it, each with a use of its own. */
  readonly count?: number;
  readonly ended?: boolean;
}

async function record(lie: Lie): Promise<string> {
  const root = mkdtempSync(join(tmpdir(), 'cordon-endorsed-'));
  made.push(root);
  const hold: Hold = {
    ...{ v: 'hold/1', id: id('hld'), kind: 'intent', intent: hashIntent(intentOf('/repos/acme/x')), attempt: 'att_0' },
    ...{ policy: name, floor, rung, groups: [], nonce: 'a'.repeat(32), view: `sha256:${'b'.repeat(64)}` },
    expires: '2026-01-01T12:15:00.000Z',
    ...lie.hold,
  };
  const signed: EndorsementRecord = {
    ...{ v: 'endorsement/1', id: id('end'), tenant: 'local', scope: { session }, hold: hold.id },
    ...{ record: digestHold(hold), destinations: ['account github/acme'], uses: 1, bytes: 9000, person },
    ...{ from: '2026-01-01T11:50:00.000Z', expires: '2026-01-01T12:50:00.000Z', via: 'operator-key' },
    ...lie.signed,
  };
  const text = canonicalize(signed as unknown as RecordValue);
  const envelope = signEnvelope(endorsementType, text, [openSigningKey(lie.key ?? ada.privatePem)]);
  const digest = digestRecord('endorsement', signed as unknown as RecordValue);
  const intents = Array.from({ length: lie.count ?? 1 }, (_, index) => intentOf(`/repos/acme/app${index}`));
  const settings = { ...tenant, ...(lie.fourEyes === true ? { approvals: { fourEyes: true, webhook: null } } : {}) };
  const own = { session, seq: null };
  const order: EntryDraft = {
    ...{ ...own, type: 'session.start', data: { phase: 'order', agent: 'fixer', revision: 1 } },
    body: JSON.stringify({ order: {}, policy }),
  };
  const ends: EntryDraft = { ...own, type: 'endorsement', data: { act: 'withdrawn', id: signed.id, reason: '' } };
  const control: EntryDraft[] = [
    {
      ...{ session: null, type: 'policy', body: JSON.stringify(settings) },
      data: { act: 'activate', tenant: 'local', generation: 1, digest: 'sha256:0', cause: 'start', files: [] },
    },
    order,
    { session: null, type: 'admin', data: { act: 'people.add', by: 'x', person, key: { ...ada.pinned } } },
    { ...own, type: 'hold', data: { act: 'open', record: hold as unknown as RecordValue } },
    {
      ...{ ...own, type: 'endorsement', body: JSON.stringify({ envelope }) },
      data: { act: 'sign', id: signed.id, hold: hold.id },
    },
    ...(lie.ended === true ? [ends] : []),
    ...intents.map(
      (intent, index): EntryDraft => ({
        ...{ ...own, type: 'endorsement.used', body: JSON.stringify({ named: lie.names ?? ['account github/acme'] }) },
        data: { id: signed.id, attempt: `att_${index}`, bytes: trafficOf(intent), rung, groups: [], ...lie.used },
      }),
    ),
  ];
  const journal = { directory: join(root, 'local'), tenant: 'local', clock: { now: () => Date.parse(at) } };
  {
    await using cp = await openJournal({ ...journal, writer: 'cp' });
    for (const draft of control) await cp.append(draft, 'os');
  }
  await using gw = await openJournal({ ...journal, writer: 'gw' });
  const attempts = new Attempts({ decisions: 0, attempt: null });
  for (const [index, intent] of intents.entries()) await gw.append(decided(intent, index, attempts, digest, lie), 'os');
  return root;
}

function decided(intent: Intent, index: number, attempts: Attempts, digest: string, lie: Lie): EntryDraft {
  const endorsed = lie.endorsed === undefined ? { id: id('end'), destInteg: 0 } : lie.endorsed;
  const facts = sealRecord(
    createFacts(intent, {
      ...{ attempt: `att_${index}`, at, freshUntil: '2026-01-01T12:00:10.000Z', live: true, boundary: 1 },
      flow: { ...floor, destInteg: 3, ...lie.flow },
      labels: {
        ...{ ctx: `sha256:${'1'.repeat(64)}`, grade: 1, leakBytes: 0, leakUsed: 0 },
        ...(endorsed === null ? {} : { endorsed }),
      },
    }),
  );
  const approval = { quorum: 0, strong: false, ids: lie.ids ?? [digest] };
  const decision = authorize(snapshot, snapshot.principal, intent, facts, approval);
  if (decision.outcome !== 'allow') throw new TypeError(decision.record.code);
  const plan = { refused: false as const, uses: [], headers: [] };
  const numbered = attempts.take(facts.attempt, facts.intent, facts.at, 'gw/c1');
  return decisionEntry(numbered, { outcome: 'allow', allow: decision, plan }, 1);
}

async function verify(lie: Lie = {}): Promise<{ approvals: PartReport; decisions: PartReport }> {
  const root = await record(lie);
  const journals = join(root, 'local');
  const judges = { judge: judgeApproval, judgeEndorsement };
  const report = verifyLedger({ journals, tree: null, verifierKey: null, parts: ['approvals'], approvals: judges });
  const decisions = verifyDecisions({ journals, replay: createReplay(engines) });
  return { approvals: report.parts[0] as PartReport, decisions };
}

const findings = ({ failures }: PartReport): string[] => failures.map(({ code, detail }) => `${code}: ${detail}`);

describe('an allow by endorsement', () => {
  it('is proved by the signatures, and by what policy says without them', async () => {
    const { approvals, decisions } = await verify();
    expect(approvals).toMatchObject({ ok: true, counts: { endorsements: 1, endorsedUses: 1, endorsed: 1 } });
    expect(decisions).toMatchObject({ ok: true, counts: { decisions: 1, same: 1 } });
  });

  it.each<[string, Lie, string]>([
    ['signed by a stranger', { key: eve.privatePem }, 'endorsement-signature'],
    ['of another session', { signed: { scope: { session: `ses_0${'b'.repeat(25)}` } } }, 'endorsement-other-session'],
    ['of another tenant', { signed: { tenant: 'other' } }, 'endorsement-other-tenant'],
    ['of another question', { signed: { record: `sha256:${'7'.repeat(64)}` } }, 'endorsement-other-hold'],
    ['that names somebody else', { signed: { destinations: ['account github/evil'] } }, 'endorsement-other-place'],
    ['for other names than it stood for', { names: ['account github/evil'] }, 'endorsement-other-place'],
    ['after its time', { signed: { from: '2026-01-01T11:00:00.000Z', expires: at } }, 'endorsement-expired'],
    ['used twice, and good once', { count: 2 }, 'endorsement-used'],
    ['with too few bytes', { signed: { bytes: 10 } }, 'endorsement-bytes'],
    ['for which other bytes were counted', { used: { bytes: 1 } }, 'other bytes were counted than went out'],
    ['where two people were asked for', { used: { rung: { quorum: 2, strong: false } } }, 'endorsement-quorum'],
    ['where a group was asked for', { used: { groups: ['finance'] } }, 'endorsement-group'],
    ['from a question for two', { hold: { rung: { quorum: 2, strong: false } } }, 'endorsement-quorum'],
    ['under another policy', { hold: { policy: { ...name, generation: 2 } } }, 'endorsement-other-policy'],
    ['by whom four eyes exclude', { fourEyes: true }, 'endorsement-four-eyes'],
    ['of a session that had seen less', { hold: { floor: { ...floor, ctxInteg: 1 } } }, 'endorsement-floor'],
    ['by another endorsement than the facts say', { endorsed: { id: id('enx'), destInteg: 0 } }, 'request-invalid'],
    ['by other records than it names', { ids: [`sha256:${'7'.repeat(64)}`] }, 'the signed answers are not those'],
    ['after its end', { ended: true }, 'was withdrawn before it was used'],
  ])('%s is found', async (_name, lie, expected) => {
    if (expected === 'request-invalid') {
      await expect(verify(lie)).rejects.toThrow(expected);
      return;
    }
    const { approvals } = await verify(lie);
    expect(approvals.ok).toBe(false);
    expect(findings(approvals).join()).toContain(expected);
  });

  it('is found where policy would not have asked, or asked nobody, or nobody stands for it', async () => {
    for (const [lie, expected] of [
      [{ endorsed: { id: id('end'), destInteg: 3 } }, 'without it the answer is allow'],
      [{ endorsed: null }, 'the facts do not say who was named by it'],
      [{ ids: [] }, 'fewer people stand for it than policy asks for'],
    ] as const) {
      const { decisions } = await verify(lie);
      expect(findings(decisions).join(), expected).toContain(`endorsement: ${expected}`);
    }
    // Every hash fits: only the second look at policy tells.
    const { approvals } = await verify({ endorsed: { id: id('end'), destInteg: 3 } });
    expect(approvals.ok).toBe(true);
  });
});
