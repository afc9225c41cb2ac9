import { type Mutation, mutationsOf } from './mutation.ts';

const policy = (name: string): string => `packages/policy/test/${name}.test.ts`;
const gateway = 'packages/gateway/test/label.test.ts';
const control = 'packages/control-plane/test/labels.test.ts';
const src = (name: string): string => `packages/policy/src/${name}.ts`;

export const labelMutations: readonly Mutation[] = [
  ...mutationsOf(
    'packages/gateway/src/label/contexts.ts',
    ['packages/gateway/test/label-fault.test.ts'],
    [
      [
        'a ledger that is down is a fault of ours',
        "throw new GatewayError('journal-failed', 'what the session has seen could not be recorded', { cause });",
        'throw cause;',
      ],
    ],
  ),
  ...mutationsOf(
    src('label/label'),
    [policy('label')],
    [
      ['the better of two counts', 'integrity: Math.min(a.integrity', 'integrity: Math.max(a.integrity'],
      ['the less private of two counts', 'confidentiality: Math.max(a.conf', 'confidentiality: Math.min(a.conf'],
      ['readers of either', 'a.filter((reader) => b.includes(reader))', 'a'],
      [
        'too many readers are all kept',
        'kept.length > limits.labelReadersMax ? [] : kept',
        'kept.length < 0 ? [] : kept',
      ],
    ],
  ),
  ...mutationsOf(
    src('core'),
    [policy('team-rules')],
    [
      ['two people', "quorum >= 2 ? 'context.approval.quorum >= 2' : one", 'one'],
      ['strong keys', '(strong ? `(', '(quorum > 99 ? `('],
      ['who else can be asked', 'liftsOf(rungs.at(-1))', 'liftsOf(rungs.at(0))'],
    ],
  ),
  ...mutationsOf(
    src('space/property'),
    [policy('space-team')],
    [
      ['fewer people than can be asked', "[{ 'approval.quorum': below(people) }]", '[]'],
      ['keys that are not strong', "strong ? [{ 'approval.strong': no }] : []", '[]'],
    ],
  ),
  ...mutationsOf(
    'packages/control-plane/src/policy/compile.ts',
    ['packages/control-plane/test/team.test.ts'],
    [
      ['the version of the rules', 'ceilingFor(settings.rungs)', 'coreCeiling'],
      ['strong keys that nobody has', 'settings.rungs?.some(({ strong }) => strong) === true', 'settings === null'],
    ],
  ),
  ...mutationsOf(
    src('core'),
    [policy('rules')],
    [
      ['R1 shares with anybody', 'context.flow.destInteg >= 2 ||', 'context.flow.destInteg >= 0 ||'],
      [
        'R3 lets any effect through',
        'context.effect == Cordon::Effect::"read" || context.flow.destInteg >= 3',
        'context.flow.destInteg >= 0',
      ],
      ['R6 takes no look at links', 'unless { context.flow.linksOk ||', 'unless { context.flow.destInteg >= 0 ||'],
    ],
  ),
  ...mutationsOf(
    src('label/flow'),
    [policy('flow')],
    [
      [
        'a name below a domain is as good as one',
        'wildcard ? Math.min(rule.integrity, picked) : rule.integrity',
        'rule.integrity',
      ],
      [
        'a shared host vouches for its accounts',
        "case 'unknown':\n      return 0;",
        "case 'unknown':\n      return 4;",
      ],
      ['any credential is ours', 'return ownCredential ? 4 : 0;', 'return ownCredential ? 4 : 4;'],
      [
        'recipients do not count',
        'return Math.min(named, account, target, ...each) as',
        'return Math.min(named, account, target) as',
      ],
      [
        'what is deleted does not count',
        'return Math.min(named, account, target, ...each)',
        'return Math.min(named, account, ...each)',
      ],
      ['the tenant’s clearance is no ceiling', 'Math.min(own, Math.max(...ceiling))', 'own'],
      ['reads are not metered', 'argConf > clearance && !readersOk;', 'argConf < 0 && !readersOk;'],
    ],
  ),
  ...mutationsOf(
    src('label/leak'),
    [policy('flow')],
    [
      ['no bound for one read', 'cost <= limits.leakRequestBytesMax &&', 'cost >= 0 &&'],
      ['no bound for a session', 'this.#used + cost <= limits.leakSessionBytesMax', 'cost >= 0'],
      ['headers are free', 'const fields = Array.isArray(headers) ?', 'const fields = headers === null ?'],
      ['what was sent is not counted', 'this.#used += this.costOf(chosen);', ''],
    ],
  ),
  ...mutationsOf(
    src('label/leak'),
    [policy('leak-bound')],
    [
      [
        'a crash fills the meter',
        'constructor(used = 0) {\n    this.#used = used;',
        'constructor(used = 0) {\n    this.#used = used - used;',
        [`packages/gateway/test/label.test.ts`],
      ],
      ['every text is a known one', 'this.#texts.has(text) ? 0 :', 'text.length > 0 ? 0 :'],
      ['how long a body is, is free', 'bodyBytes === 0 ? 0 : headBytes + bodyBytes', 'bodyBytes'],
      ['how a query is written is free', 'search === null || search === each', 'search !== each'],
      ['every list of headers is a known one', 'this.#lists.has(digestOf(headers)) ?', 'headers.length > 0 ?'],
    ],
  ),
  ...mutationsOf(
    src('critical/id'),
    [policy('critical')],
    [
      ['scripts are mixed', 'if (used > 1)', 'if (used > 99)'],
      ['a disguise of one script', 'disguise.test(text)) {', 'disguise.test(text) && text === "") {'],
    ],
  ),
  ...mutationsOf(
    'packages/gateway/src/effect.ts',
    [gateway],
    [
      [
        'an answer is relayed before the session has seen it',
        'await heldBack(answer.body, seen(road, session, permit, made, ready));',
        'void heldBack(answer.body, seen(road, session, permit, made, ready)).catch(() => undefined);',
      ],
    ],
  ),
  ...mutationsOf(
    'packages/gateway/src/tunnel/serve.ts',
    [gateway],
    [
      ['a tunnel is not seen', 'await seen(road, session, permit, made, { pin, lease: null });', ''],
      [
        'a tunnel keeps the labels of its opening',
        'return isPermitted(road, session, permit, now);',
        'return isPermitted(road, session, permit, labelled);',
      ],
    ],
  ),
  ...mutationsOf(
    'packages/gateway/src/label/contexts.ts',
    [gateway],
    [
      [
        'a crash forgets',
        'past !== null ? (parseLabel(past) ?? lostLabel) : decisions > 0 ? lostLabel : start;',
        'start;',
      ],
      ['a workspace is not labelled', 'if (context.direct) await this.#store(context, label);', ''],
      ['neighbours in a folder are not told', 'touched.push(...this.#lower(other, context.label));', ''],
      ['who comes later is not told', 'if (other.direct && other.overlaps(context)) context.lower(other.label);', ''],
    ],
  ),
  ...mutationsOf(
    'packages/gateway/src/label/answer.ts',
    [gateway],
    [
      [
        'a model is as good as the session',
        'integrity: 1, confidentiality, readers',
        'integrity: 4, confidentiality, readers',
      ],
      ['strangers vouch', "const integrity = yields.has('vouched') ? 2 : 0;", 'const integrity = 2;'],
    ],
  ),
  ...mutationsOf(
    'packages/gateway/src/decide.ts',
    [gateway],
    [['a critical argument of two readings', 'if (critical !== null && (', 'if (critical === undefined && (']],
  ),
  ...mutationsOf(
    'packages/control-plane/src/labels/start.ts',
    [control],
    [
      ['what sessions left is forgotten', 'parts.push(parseLabel(label) ?? lostLabel);', 'void label;'],
      ['every workspace is trusted', 'integrity: declared.trusted ? 2 : 0', 'integrity: 2'],
    ],
  ),
  ...mutationsOf(
    'packages/control-plane/src/labels/labels.ts',
    [control],
    [
      ['the last word counts', 'const after = before === null ? by : joinLabels(before, by);', 'const after = by;'],
      [
        'a look makes public',
        'createLabel({ integrity: 2, confidentiality, readers,',
        "createLabel({ integrity: 2, confidentiality: 0, readers: 'all',",
      ],
    ],
  ),
];
