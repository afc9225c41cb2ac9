import { type Mutation, mutationsOf } from './mutation.ts';

const policy = (name: string): string => `packages/policy/src/approval/${name}.ts`;
const control = (name: string): string => `packages/control-plane/src/approvals/${name}.ts`;
const gateway = (name: string): string => `packages/gateway/src/${name}.ts`;
const approval = 'packages/policy/test/approval.test.ts';
const steps = 'packages/control-plane/test/approval-steps.test.ts';
const held = 'packages/gateway/test/hold.test.ts';
const plane = 'packages/control-plane/test/approvals.test.ts';

export const approvalMutations: readonly Mutation[] = [
  ...mutationsOf(
    'packages/protocol/src/dsse.ts',
    ['packages/protocol/test/dsse.test.ts'],
    [
      ['any type', 'if (envelope.payloadType !== payloadType) return', 'if (payloadType === null) return'],
      ['any signature', '|| !verify(null, bytes, publicKey, signature)', ''],
      ['a key under another name', '|| pinKey(raw).id !== key.id', ''],
      ['another algorithm', "key.algorithm !== 'ed25519' || ", ''],
      ['nobody signed', "if (signers.size === 0) return { ok: false, code: 'signature-unknown-key' };", ''],
      ['two texts of one payload', "return bytes.toString('base64') === text ? bytes : null;", 'return bytes;'],
    ],
  ),
  ...mutationsOf(
    policy('check'),
    [approval],
    [
      ['other bytes', "if (hashIntent(intent) !== hold.intent) return 'approval-other-intent';", ''],
      ['another policy', "if (!isSamePolicy(hold.policy, policy)) return 'approval-other-policy';", ''],
      ['a generation', 'a.generation === b.generation && ', ''],
      ['a revision', 'a.revision === b.revision && ', ''],
      ['a digest', 'a.digest === b.digest && ', ''],
      ['an expired question', "return now >= hold.expires ? 'approval-expired' : null;", 'return null;'],
      ['an expired answer', "if (now >= answer.expires) return 'approval-expired';", ''],
      ['another hold', "if (answer.hold !== hold.id) return 'approval-other-hold';", ''],
      ['an answer to other bytes', "if (answer.intent !== hold.intent) return 'approval-other-intent';", ''],
      [
        'an answer under another policy',
        "if (!isSamePolicy(answer.policy, hold.policy)) return 'approval-other-policy';",
        '',
      ],
      ['another nonce', "if (answer.nonce !== hold.nonce) return 'approval-other-nonce';", ''],
      ['another view', "if (answer.view !== hold.view) return 'approval-other-view';", ''],
      ['another name', ' || !samePerson(signed, answer.person)', ''],
      ['two signatures', 'others.length > 0 || ', ''],
      [
        'one person twice',
        "if (counted.some(({ person }) => samePerson(person, answer.person))) return no('approval-person-twice');",
        '',
      ],
      ['a no', "if (answer.verdict === 'deny') return no('approval-denied');", ''],
      ['too few', "if (counted.length < hold.rung.quorum) return no('approval-quorum');", ''],
      ['a strong one', "if (hold.rung.strong) return no('approval-quorum');", ''],
      ['used up', "if (left < 1) return no('approval-used');", ''],
      ['worse labels', "if (!isNoWorse(flow, hold.floor)) return no('approval-floor');", ''],
      [
        'four eyes',
        'if (excluded.some((person) => samePerson(person, answer.person))) return',
        'if (now === "") return',
      ],
    ],
  ),
  ...mutationsOf(
    policy('record'),
    [approval],
    [
      ['another spelling', " === Buffer.from(bytes).toString('utf8') ? record : null", " !== '' ? record : null"],
      [
        'any number of uses',
        "isBetween(value['uses'], 1, limits.approvalUsesMax)",
        "isBetween(value['uses'], 1, 1000)",
      ],
    ],
  ),
  ...mutationsOf(
    policy('receipt'),
    [held],
    [
      [
        'any key',
        "if (!opened.ok) return { ok: false, code: 'receipt-signature' };",
        'if (!opened.ok) return { ok: true, approval: { quorum: 1, strong: false, ids: [] }, left: 1, people: [] };',
      ],
      ['another gateway', 'receipt.gateway === question.gateway &&', ''],
      ['another attempt', 'receipt.attempt === question.attempt &&', ''],
      ['too old', "if (now >= receipt.expires) return { ok: false, code: 'receipt-expired' };", ''],
      ['another hold', 'receipt.record === digestHold(hold)', 'receipt.record !== null'],
    ],
  ),
  ...mutationsOf(
    control('approvals'),
    [steps],
    [
      ['a use is counted after it is recorded', 'await store.update(hold.record.id, hold.version, change);\n', ''],
      [
        'a stop during the use',
        '      this.#standing(asked.session, asked.policy);\n      if (!stands',
        '      if (!stands',
      ],
      [
        'stopped at the start',
        "approvals.voidWhere(({ session }) => approvals.#isStopped(session), 'session-stopped');",
        '',
      ],
      ['stale at the start', '    approvals.voidStale();\n', ''],
      [
        'open is not recorded',
        "await recorder.record({ type: 'hold', session: hold.session, data, body }, 'disk');",
        '',
      ],
      [
        'any room',
        'if (this.#live.countOf(session) >= limits.holdsPerSessionMax) {',
        'if (this.#live.size < 0) {',
        [plane],
      ],
      [
        'answers count twice',
        "if (again && record.verdict === 'approve') throw uncounted('approval-person-twice');",
        '',
        [plane],
      ],
      ['another session uses it', 'hold.session !== asked.session || ', '', [plane]],
      ['any order', 'if (strange !== null ||', 'if (', [plane]],
      [
        'any rung',
        'if (!isRungOf(order.rung, this.#parts.tenant())) throw',
        'if (this.#parts === null) throw',
        [plane],
      ],
    ],
  ),
  ...mutationsOf(
    gateway('hold/judge-held'),
    [held],
    [
      [
        'for an agent that has gone',
        'no use is spent on it.\n  patience.signal.throwIfAborted();',
        'no use is spent on it.',
      ],
      [
        'a body that is not shown',
        'if (readable === null || readable.length > road.limits.holdPayloadBytesMax) return undefined;',
        'if (readable === null) return null;',
      ],
      [
        'the answer is believed',
        'if (checked.ok) return checked.approval;',
        'return { quorum: 1, strong: false, ids: [] };',
      ],
    ],
  ),
  ...mutationsOf(
    'packages/policy/src/approval/check.ts',
    ['packages/policy/test/approval.test.ts'],
    [["anybody's yes", 'isOfGroups(known, hold.groups) ?', 'known.keys.length > 0 ?']],
  ),
  ...mutationsOf(
    'packages/policy/src/decide/authorize.ts',
    ['packages/policy/test/approvers.test.ts'],
    [
      ['another group than asked', 'if (!isFromApprovers(judged.approval, real.permits)) {', 'if (judged === null) {'],
      ['a pool of nobody', 'if (groups?.length === 0) return', 'if (groups?.length === -1) return'],
      [
        'the pool of a stronger approval',
        'return { rung, permits: verdict.permits };',
        'return { rung, permits: best.permits };',
      ],
    ],
  ),
  ...mutationsOf(
    'packages/policy/src/decide/obligation.ts',
    ['packages/policy/test/approvers.test.ts'],
    [
      [
        'the widest pool',
        'duties.approvers === null ? left : intersect(left, duties.approvers)',
        'duties.approvers ?? left',
      ],
    ],
  ),
  ...mutationsOf(
    'packages/control-plane/src/approvals/eligible.ts',
    ['packages/control-plane/test/groups.test.ts'],
    [
      ['a question to nobody', 'if (eligible.length >= rung.quorum) return;', 'if (eligible.length >= 0) return;'],
      ['who four eyes leave out', '!excluded.some((person) =>', '!excluded.every((person) =>'],
      ['who has left', " || answer === 'approval-group'", ''],
    ],
  ),
  ...mutationsOf(
    'packages/control-plane/src/parts.ts',
    ['packages/control-plane/test/groups.test.ts'],
    [['who signed the policy', 'tenant.bundle?.signedBy ?? []', '[]']],
  ),
  ...mutationsOf(
    'apps/verify/src/approvals.ts',
    ['apps/verify/test/approvals.test.ts'],
    [
      [
        'who signed the policy',
        'return [...local, ...(policies.signers(generation)',
        'return [...local, ...(policies.signers(-1)',
      ],
      ['who started it', 'policies.starter(session)', "''"],
    ],
  ),
  ...mutationsOf(
    gateway('hold/desk'),
    [held],
    [
      [
        'any number waits',
        'if (own >= limits.holdsWaitingPerSessionMax || this.#count >= limits.holdsWaitingMax) return null;',
        '',
      ],
    ],
  ),
  ...mutationsOf(
    gateway('http/headers'),
    [held],
    [['the hold is part of the request', "['proxy-', 'x-forwarded-', 'cordon-']", "['proxy-', 'x-forwarded-']"]],
  ),
  ...mutationsOf(
    'packages/protocol/src/view-lines.ts',
    ['packages/protocol/test/view-lines.test.ts'],
    [
      ['controls reach the terminal', '.replace(hidden, spelt)', ''],
      ['look-alikes', '(hasLatin.test(letters) ? letters.replace(notLatin, spelt) : letters)', 'letters'],
      ['names that break the line', 'marked(at)}', 'at}', ['packages/protocol/test/view-difference.test.ts']],
      ['no bar before the agent’s words', "const bar = '  | ';", "const bar = '';"],
    ],
  ),
  ...mutationsOf(
    'packages/protocol/src/view-difference.ts',
    ['packages/protocol/test/view-difference.test.ts'],
    [
      ['names that stand there twice', 'spelt && namesIn(value) === namesWritten(text) ?', 'spelt ?'],
      ['how a number is written', "new Spelt(context?.source ?? '')", 'new Spelt(String(value))'],
      ['the same fields written otherwise', 'fields.length > 0 ? fields :', 'fields.length >= 0 ? fields :'],
      ['texts that are too different', 'maxEditLength: limits.viewEditsMax', 'maxEditLength: 1_000_000'],
    ],
  ),
  ...mutationsOf(
    'packages/sdk/src/earlier.ts',
    ['packages/sdk/test/earlier.test.ts'],
    [
      [
        'another request than the view names',
        'if (record.id !== named.hold || record.view !== named.view)',
        'if (record.id === "")',
      ],
      ['a view of something else', 'checkView(record, before);', ''],
      ['another kind', 'if (kindOf(before.intent) !== kindOf(view.intent))', 'if (record.id === "")'],
      ['one that the view does not name', 'if (given !== null) throw', 'if (given === undefined) throw'],
      ['a no', " && answer.verdict === 'approve'", ''],
      ['whoever signed it', 'if (!opened.ok) return [];', "if (!opened.ok) return ['ada'];"],
    ],
  ),
  ...mutationsOf(
    'packages/control-plane/src/approvals/earlier.ts',
    ['packages/control-plane/test/earlier.test.ts'],
    [['a session that was shredded', "opened.kind === 'open' ?", "opened.kind !== 'wrong' ?"]],
  ),
  ...mutationsOf(
    'packages/store/src/holds.ts',
    ['packages/store/test/holds.test.ts'],
    [
      ['a yes that was taken back', "if (rows === 1 && state === 'denied')", "if (rows === 7 && state === 'denied')"],
      ['a change that was too late', 'if (rows === 1 && approved !== undefined)', 'if (approved !== undefined)'],
    ],
  ),
];
