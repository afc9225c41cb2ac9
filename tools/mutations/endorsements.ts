import { type Mutation, mutationsOf } from './mutation.ts';

const pure = 'packages/policy/test/endorsement.test.ts';
const flow = 'packages/policy/test/endorsed-flow.test.ts';
const steps = 'packages/control-plane/test/endorsement-steps.test.ts';
const plane = 'packages/control-plane/test/endorsements.test.ts';
const gateway = 'packages/gateway/test/endorsed.test.ts';
const verifier = 'apps/verify/test/endorsements.test.ts';
const ledger = 'packages/ledger/test/approvals.test.ts';

export const endorsementMutations: readonly Mutation[] = [
  ...mutationsOf(
    'packages/policy/src/endorsement/check.ts',
    [pure],
    [
      ['one person twice', "return no('endorsement-person-twice');", 'continue;'],
      ['different terms', "      return no('endorsement-other-terms');\n", ''],
      ['too few for the question', 'Math.max(hold.rung.quorum, rung.quorum)', 'rung.quorum'],
      ['too few for what it stands for', 'Math.max(hold.rung.quorum, rung.quorum)', 'hold.rung.quorum'],
      ['a strong key', "if (hold.rung.strong || rung.strong) return no('endorsement-quorum');", ''],
      [
        'a group that is asked now',
        "if (!isKnownIn(record.person, question.groups, question.directory)) return no('endorsement-group');",
        '',
      ],
      [
        'a group that was asked',
        "isKnownIn(record.person, hold.groups, directory) ? record : 'endorsement-group'",
        'record',
      ],
      ['no end in time', "if (now >= terms.expires) return no('endorsement-expired');", ''],
      ['another place', "return no('endorsement-other-place');", "return no('endorsement-used');"],
      ['one name is enough', 'unnamed.every((name)', 'unnamed.some((name)'],
      ['one use more', 'if (left.uses < 0)', 'if (left.uses < -1)'],
      ['no end in bytes', "if (left.bytes < 0) return no('endorsement-bytes');", ''],
      ['a body for nothing', ' + payload.bytes', ''],
      ['another tenant', "if (terms.tenant !== intent.tenant) return 'endorsement-other-tenant';", ''],
      ['another session', "if (!inScope) return 'endorsement-other-session';", ''],
      [
        'another policy',
        "if (!isUnder(hold.policy, policy, 'session' in scope)) return 'endorsement-other-policy';",
        '',
      ],
      ['an agent under any generation', 'asked.generation === now.generation && ', ''],
      ['an agent under any engine', ' && asked.engine === now.engine', ''],
      ['secret arguments', 'flow.argConf >= 3 || ', ''],
      ['a session with secrets', ' || flow.ctxConf >= 3', ''],
      ['a less trusted argument', 'now.argInteg >= floor.argInteg && ', ''],
      ['a less trusted context', ' && now.ctxInteg >= floor.ctxInteg', ''],
      ['a more private argument', 'now.argConf <= floor.argConf && ', ''],
      ['a more private context', 'now.ctxConf <= floor.ctxConf && ', ''],
      ['a place that is cleared for less', ' && now.clearance >= floor.clearance', ''],
      ['other readers', ' && (now.readersOk || !floor.readersOk)', ''],
      ['any key', "if (!opened.ok) return 'endorsement-signature';", "if (!opened.ok) return 'endorsement-person';"],
      ['another name', ' || !samePerson(signed, record.person)', ''],
      ['two signatures', 'others.length > 0 || ', ''],
      ['another question', 'record.hold === hold.id && ', ''],
      ['a question that was changed', ' && record.record === digestHold(hold)', ''],
      [
        'no four eyes',
        "if (excluded.some((person) => samePerson(person, record.person))) return 'endorsement-four-eyes';",
        '',
      ],
    ],
  ),
  ...mutationsOf(
    'packages/policy/src/endorsement/record.ts',
    [pure],
    [
      [
        'two texts of one record',
        "canonicalize(record as unknown as RecordValue) === Buffer.from(bytes).toString('utf8')",
        'true',
      ],
      [
        'uses without end',
        'isBetween(uses, 1, limits.endorsementUsesMax)',
        'isBetween(uses, 1, Number.MAX_SAFE_INTEGER)',
      ],
      [
        'bytes without end',
        'isBetween(bytes, 1, limits.endorsementTrafficBytesMax)',
        'isBetween(bytes, 1, Number.MAX_SAFE_INTEGER)',
      ],
      ['years', '1, limits.endorsementMs)', '1, Number.MAX_SAFE_INTEGER)'],
      ['a browser', "via === 'operator-key' &&", "typeof via === 'string' &&"],
      ['unsorted', "&& (typeof before !== 'string' || before < text)", ''],
      ['any number of places', ' || value.length > limits.endorsementDestinationsMax', ''],
      ['any place', ' && isDestination(text)', ''],
    ],
  ),
  ...mutationsOf(
    'packages/policy/src/endorsement/destination.ts',
    [pure],
    [
      ['a whole host', 'isWritten(path.segments, 1) ? `range', 'path.ok ? `range'],
      ['names below a domain', ' || target.wildcard', ''],
      ['another spelling', 'rangeText(value) === text', 'rangeText(value) !== null'],
      ['another host', 'range.origin !== intent.resource || ', ''],
      ['another path', ' || !coversPath(range, segments)', ''],
      [
        'an account that is not written out',
        'return isWritten(range.path.segments, account.segments);',
        'return true;',
      ],
      ['another account', "account?.kind !== 'named' || name !== ", "account?.kind !== 'named' || '' === "],
    ],
  ),
  ...mutationsOf(
    'packages/policy/src/label/provenance.ts',
    [flow],
    [
      [
        'names are named for everything',
        "purpose === 'argument' ? type : purpose",
        "purpose === 'argument' ? type : type",
      ],
      ['any name', 'known < 3 && names.has(nameOf(entity, purpose)) ? 3', 'known < 3 ? 3'],
    ],
  ),
  ...mutationsOf(
    'packages/policy/src/endorsement/receipt.ts',
    [gateway],
    [
      [
        'any signer',
        "if (!opened.ok) return { ok: false, code: 'receipt-signature' };",
        "if (!opened.ok) return { ok: false, code: 'receipt-mismatch' };",
      ],
      ['another kind', "value.v === 'endorsement-receipt/1'", "typeof value.v === 'string'"],
      ['an old one', "if (now >= receipt.expires) return { ok: false, code: 'receipt-expired' };", ''],
      ['another gateway', 'receipt.gateway === question.gateway &&', ''],
      ['another attempt', 'receipt.attempt === question.attempt &&', ''],
      ['other bytes', 'receipt.intent === hashIntent(intent) &&', ''],
      ['another tenant', 'receipt.tenant === intent.tenant &&', ''],
      ['another session', 'receipt.session === intent.session &&', ''],
      ['another question', 'receipt.record === digestHold(hold) &&\n    isSame', 'isSame'],
      ['other names', '&&\n    isSame(receipt.named, unnamed);', ';'],
      ['another endorsement', 'checked.id === receipt.endorsement && ', ''],
      ['other records', ' && isSame(checked.approval.ids, receipt.endorsements)', ''],
    ],
  ),
  ...mutationsOf(
    'packages/gateway/src/endorse/endorsed.ts',
    [gateway],
    [
      [
        'asked where it does not help',
        'return isAllowed(snapshot, held, { ...facts.flow, destInteg: named.flow.destInteg }) ? unnamed : [];',
        'return named.flow.destInteg > 0 ? unnamed : [];',
      ],
      [
        'names by the control plane’s word',
        'if (checked.ok) return',
        'if (checked.ok || checked.code !== null) return',
      ],
    ],
  ),
  ...mutationsOf(
    'packages/control-plane/src/endorsements/endorsements.ts',
    [steps],
    [
      [
        'counted after it is recorded',
        '    await store.update(id, known.version, change);\n    const now',
        '    const now',
      ],
      [
        'one at a time is not needed',
        'await this.#turns.take(id, () => this.#take(id, asked, gateway))',
        'await this.#take(id, asked, gateway)',
      ],
      ['a stop before the record', 'if (this.#live.get(id) !== known) return null;', ''],
      [
        'a stop behind the record',
        '    standingSession(this.#parts, asked.session, asked.policy);\n    if (now.state',
        '    if (now.state',
      ],
      ['a withdrawal behind the record', "if (now.state === 'active' && this.#live.get(id) !== now) return null;", ''],
      [
        'whose intent it is',
        "if (stranger !== null) throw refusal('hold-mismatch'",
        "if (stranger === '') throw refusal('hold-mismatch'",
      ],
      ['a no', 'if (this.#parts.isAnswered(asked.session, hashOf(asked.intent))) return null;', ''],
      ['what does not wait for a name', 'held.view === null || held.view.unnamed.length === 0', 'held.view === null'],
      ['a clock that is off', "if (off > limits.endorsementSkewMs) throw unendorsed('endorsement-expired');", ''],
      [
        'an id that was over',
        "if ((await this.#parts.store.get(id)) !== null) throw refusal('conflict'",
        "if (id === '') throw refusal('conflict'",
      ],
      ['any number of them', 'own >= limits.endorsementsPerSessionMax || ', ''],
      ['the end of the question', ' && this.#parts.held(held.record.id) !== null', ''],
      ['a stop of a sibling', "if ('agent' in terms.scope && stopped === agent) return true;", ''],
      [
        'another generation for an agent',
        "if ('agent' in terms.scope) return hold.policy.generation !== now.generation;",
        "if ('agent' in terms.scope) return false;",
      ],
      ['four eyes', 'excluded: this.#parts.excluded(session),\n    });', 'excluded: [],\n    });'],
    ],
  ),
  ...mutationsOf(
    'packages/control-plane/src/approvals/pace.ts',
    [plane],
    [
      ['nobody is quick', 'nowMs - Date.parse(askedAt) < limits.answerQuickMs', 'nowMs < 0'],
      ['nobody answers too much', 'count > limits.answersPerHourMax', 'count < 0'],
      ['hours ago', '.filter((each) => each > nowMs - hourMs)', ''],
    ],
  ),
  ...mutationsOf(
    'apps/verify/src/endorsements.ts',
    [verifier],
    [
      ['other bytes', "if (use.bytes !== trafficOf(intent)) return 'other bytes were counted than went out';", ''],
      [
        'no four eyes',
        'tenant.approvals?.fourEyes === true ? whoDoNotCount(use, session, policies, record.policy.generation) : []',
        '[]',
      ],
    ],
  ),
  ...mutationsOf(
    'apps/verify/src/replay.ts',
    [verifier],
    [
      [
        'an endorsement of what nobody asked',
        "if (without.outcome !== 'hold') return",
        "if (without.outcome === 'deny') return",
      ],
      ['fewer people', ' || ids.length < rung.quorum', ''],
      [
        'a name that the facts do not say',
        "quorum === 0 && ids.length > 0 ? 'the facts do not say who was named by it' : null",
        'null',
      ],
    ],
  ),
  ...mutationsOf(
    'packages/ledger/src/verify/endorsements.ts',
    [ledger],
    [
      ['after its end', 'if (made.over !== null)', "if (made.over === '')"],
      ['two of one attempt', 'if (this.#uses.has(attempt))', "if (attempt === '')"],
      ['uses do not add up', 'made.uses += 1;', ''],
      ['bytes do not add up', 'made.bytes += Number(bytes);', ''],
      ['signatures that came later', 'const envelopes = [...made.envelopes];', 'const { envelopes } = made;'],
    ],
  ),
];
