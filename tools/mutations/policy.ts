import { type Mutation, mutationsOf } from './mutation.ts';

const test = (name: string): string => `packages/policy/test/${name}.test.ts`;
const src = (name: string): string => `packages/policy/src/${name}.ts`;

export const policyMutations: readonly Mutation[] = [
  ...mutationsOf(
    src('breaker/denials'),
    [test('breaker')],
    [
      ['a second time is no worse', 'level: again ? 2 : 1', 'level: 1'],
      ['a closed way opens by itself', 'tripped.level === 2 || now <', 'now <'],
      ['denials of any age count', '.filter((at) => at > now - limits.breakerWindowMs)', ''],
    ],
  ),
  ...mutationsOf(
    src('breaker/sink'),
    [test('breaker')],
    [
      ['every ask is a probe', 'const since = Math.max(closedAt, probeAt ?? closedAt);', 'const since = closedAt;'],
      ['who asked before opens it', 'if (sink.probeAt === null) return sink;', ''],
    ],
  ),
  ...mutationsOf(
    src('json/parse'),
    [test('json')],
    [
      [
        'duplicate keys',
        'if (frame.object !== null && Object.hasOwn(frame.object, key)) throw',
        'if (frame.object === undefined) throw',
      ],
      [
        'a byte order mark',
        'if (this.#bytes[0] === 0xef && this.#bytes[1] === 0xbb) throw',
        'if (this.#bytes.length < 0) throw',
      ],
      ['bytes behind the value', "if (this.#skip() !== -1) throw new JsonFault('json-trailing', this.#at);", ''],
      ['any depth', 'if (this.#stack.length >= this.#depthMax) throw', 'if (this.#stack.length < 0) throw'],
      ['any number of values', 'if (++this.#nodes > this.#nodesMax) throw', 'if (++this.#nodes < 0) throw'],
      ['any length', 'if (bytes.length > bytesMax) throw', 'if (bytes.length < 0) throw'],
      ['odd values as arguments', 'if (this.#strict) throw new JsonFault(code, offset);', ''],
    ],
  ),
  ...mutationsOf(
    src('canonical/path'),
    [test('canonical')],
    [
      ['empty segments', "if (part === '' && !last) return no(", "if (part === '/' && !last) return no("],
      ['hidden dot segments', 'if (hidesDots(segment)) return no(', 'if (hidesDots(segment) === undefined) return no('],
      ['escaped dot segments', "if (segment !== part) return no('a dot segment is not escaped');", ''],
      [
        'overlong UTF-8',
        'if (segments.some((segment) => overlong.test(segment))) return',
        'if (segments.length < 0) return',
      ],
      [
        'double escapes',
        'if (segments.some((segment) => escapedTwice.test(segment))) return',
        'if (segments.length < 0) return',
      ],
      [
        'escaped backslashes and controls',
        "if (code < 0x20 || code === 0x7f || character === '\\\\') return null;",
        '',
      ],
      ['escaped slashes', "if (character === '/' && !encodedSlash) return null;", ''],
      ['any number of segments', 'if (slashes > limits.pathSegmentsMax) {', 'if (slashes < 0) {'],
      [
        'two spellings of one segment',
        'return oneSpelling.test(character) ? character : text.toUpperCase();',
        'return text.toUpperCase();',
      ],
    ],
  ),
  ...mutationsOf(
    src('canonical/host'),
    [test('canonical')],
    [
      [
        'odd spellings of an address',
        'if (address.text !== text) return no(',
        'if (address.text === undefined) return no(',
      ],
      ['numeric names', "if (text.includes(':') || looksNumeric(text)) {", "if (text.includes(':')) {"],
      ['A-labels that nobody could register', "if (!lower.includes('xn--')) return lower;", 'if (lower) return lower;'],
      [
        'look-alikes of ASCII',
        "if (ascii === '' || domainToUnicode(ascii) !== text.toLowerCase()) return null;",
        "if (ascii === '') return null;",
      ],
      [
        'any label',
        'if (part.length > limits.labelCharsMax || !label.test(part)) return no(',
        'if (part.length > limits.labelCharsMax) return no(',
      ],
    ],
  ),
  ...mutationsOf(
    src('permit/permit'),
    [test('permit')],
    [
      ['used twice', 'if (!minter.open.delete(permit))', 'if (!minter.open.has(permit))'],
      ['too old', 'if (minter.clock.monotonic() >= permit.untilMs)', 'if (minter.clock.monotonic() < 0)'],
      [
        'other bytes',
        'hashIntent(permit.intent) !== permit.intentDigest || !same) {',
        'hashIntent(permit.intent) !== permit.intentDigest) {',
      ],
      ['another intent', 'if (about.intentDigest !== permit.intentDigest || ', 'if ('],
      ['an intent changed under its name', 'hashIntent(permit.intent) !== permit.intentDigest || ', ''],
      ['a record of another decision', 'if (recorded.decision !== allow.digest) {', "if (recorded.decision === '') {"],
      [
        'two permits of one decision',
        'if (minter.spent.has(allow) || minter.spent.has(recorded)) {',
        'if (minter.spent.has(minter)) {',
      ],
      [
        'a record that is not on disk',
        "if (tierOf(allow) === 'disk' && recorded.tier !== 'disk') {",
        'if (recorded.tier === undefined) {',
      ],
    ],
  ),
  ...mutationsOf(
    src('decide/authorize'),
    [test('authorize')],
    [
      ['the lease has ended', 'if (facts.at >= facts.freshUntil) return', "if (facts.at === '') return"],
      [
        'the policy has expired',
        'if (snapshot.expires !== null && facts.at >= snapshot.expires) return',
        "if (facts.at === '') return",
      ],
      ['the session was stopped', 'if (snapshot.stopped) return', "if (facts.at === '') return"],
      ["another session's intent", 'if (principal[name] !== own[name] || intent[name] !== own[name]) return name;', ''],
      [
        'facts of another intent',
        'if (facts.intent !== hashed.intentDigest) return',
        "if (facts.intent === '') return",
      ],
    ],
  ),
  ...mutationsOf(
    src('decide/verdict'),
    [test('authorize')],
    [
      [
        'one layer is enough',
        "return lacking.length > 0 ? refused('no-grant', lacking) : {",
        'return {',
        [test('layers')],
      ],
      [
        'a policy that failed is skipped',
        "if (evaluation.failed.length > 0) return refused('policy-error', evaluation.failed);",
        '',
      ],
    ],
  ),
  ...mutationsOf(
    src('fact/check'),
    [test('authorize')],
    [
      ['unknown facts', 'if (odd !== undefined) return odd;', ''],
      ['what a fact may be', 'if (wrong !== null) return wrong;\n  if (!isLabels', 'if (!isLabels'],
    ],
  ),
  ...mutationsOf(
    src('decide/focus'),
    [test('focus')],
    [
      ['a policy that looks in other ways', 'if (policy.sights === null) whole = true;', ''],
      ['what stands above by several steps', '[...everythingAbove(slice, uid)]', '[sightKey(uid)]'],
      ['large sets of their own', 'here.length <= keptMax && ', ''],
      ['answers of another set', '{focus.digest}', '{1}', [test('engine')]],
      ['tags that are read', 'tagged.includes(uid.type)', 'tagged.length < 0'],
      ['policies in scope', 'inScope(scope, place));', "inScope(scope, place) && scope.resource.op !== 'in');"],
    ],
  ),
  ...mutationsOf(src('engine/engine'), [test('engine')], [['answers to another context', '{context}`;', '{1}`;']]),
  ...mutationsOf(
    src('decide/scope'),
    [test('focus')],
    [
      ['groups of actions', "name === action || name === 'any' ||", 'name === action ||'],
      ['what the resource is in', 'place.within.has(wanted)', 'place.resource === wanted'],
    ],
  ),
  ...mutationsOf(
    src('gate/sights'),
    [test('focus')],
    [
      [
        'membership of another than who acts',
        "if (operator === 'in' && !(isActor(left) &&",
        "if (operator === 'in' && !(",
      ],
      ['tags of an entity by name', '&& !isOfContext(left)', '&& left === null'],
      [
        'membership in what is worked out',
        "if (typeof type !== 'string' || typeof id !== 'string') return false;",
        "if (typeof type !== 'string' || typeof id !== 'string') return true;",
      ],
    ],
  ),
];
