import { type Mutation, mutationsOf } from './mutation.ts';

const test = (name: string): string => `packages/gateway/test/${name}.test.ts`;
const src = (name: string): string => `packages/gateway/src/${name}.ts`;

export const gatewayMutations: readonly Mutation[] = [
  ...mutationsOf(
    src('budget/purse'),
    [test('budget')],
    [
      ['an empty purse pays', 'if (!this.#covers(amounts)) return false;', ''],
      ['a slice is given back twice', 'for (const unit of units) this.#left[unit] = 0;', ''],
      ['an answer is never cut', 'if (this.#left.bytes <= 0) this.#parts.empty();', ''],
      ['time costs nothing', 'Math.floor((this.#parts.now() - this.#countedAt) / 1000)', '0'],
    ],
  ),
  ...mutationsOf(
    src('decide'),
    [test('stop')],
    [
      ['a decision may take as long as it likes', 'late = used > limits.decisionMs;', 'late = false;'],
      ['a busy machine denies', 'late = used > limits.decisionMs;', 'late = true;'],
    ],
  ),
  ...mutationsOf(
    src('conclude'),
    [test('budget')],
    [
      ['nothing is paid', 'const quotaOk = await session.purse.pay(cost);', 'const quotaOk = true;'],
      ['what was denied is paid', "if (verdict.outcome !== 'allow' && quotaOk) session.purse.refund(cost);", ''],
    ],
  ),
  ...mutationsOf(
    'packages/policy/src/breaker/counts.ts',
    [test('breaker')],
    [
      [
        'what the breaker denies counts',
        "return by !== 'policy' || !reasons.includes(coreRuleIds.breaker);",
        'return true;',
      ],
    ],
  ),
  ...mutationsOf(
    'packages/policy/src/breaker/denials.ts',
    [test('breaker')],
    [['a failing destination is asked', 'return sink > own ? sink : own;', 'return own;']],
  ),
  ...mutationsOf(
    src('breaker/breakers'),
    [test('breaker')],
    [['a tripped breaker is forgotten for a new one', 'if (denialLevel(breaker, now) > 0) continue;', '']],
  ),
  ...mutationsOf(
    src('http/head'),
    [test('framing')],
    [
      ['two Host are taken', 'if (hosts.length > 1) return refuse(', 'if (hosts.length > 99) return refuse('],
      [
        'an empty Host is taken',
        'if (hosts[0] !== undefined && named === null) return',
        'if (hosts[0] !== undefined && named === undefined) return',
      ],
      ['a missing Host is taken', "if (hosts.length === 0 && wire.version !== '1.0')", 'if (hosts.length > 99)'],
      [
        'Host may differ from the target',
        'if (target.authority !== null && named !== null && !sameAuthority(',
        'if (target.authority === undefined && named !== null && !sameAuthority(',
        [test('hostile-framing')],
      ],
      [
        'any version',
        "if (wire.version === '1.1' || wire.version === '1.0' || wire.h2 !== undefined) return null;",
        'if (wire.version) return null;',
      ],
      ['a target of any length', 'if (wire.url.length > limits.targetBytesMax) {', 'if (wire.url.length < 0) {'],
      ['any number of headers', 'if (headers.length > limits.headersMax) {', 'if (headers.length < 0) {'],
      ['bytes over 0x7f in values', 'if ((code < 0x20 && code !== 0x09) || code >= 0x7f) {', 'if (code < 0) {'],
      ['TRACE is served', '.test(method) && !refusedMethods.has(method);', '.test(method);'],
      ['a header names another method', 'if (overriding !== undefined) {', 'if (overriding === null) {'],
      [
        'two Content-Type are taken',
        "if (valuesOf(headers, 'content-type').length <= 1) return null;",
        "if (valuesOf(headers, 'content-type').length <= 9) return null;",
      ],
      [
        'Transfer-Encoding on HTTP/1.0',
        "if (wire.version === '1.0') return refuse(",
        "if (wire.version === '') return refuse(",
      ],
      [
        'other transfer codings',
        "if (codings.length > 1 || codings[0]?.toLowerCase() !== 'chunked') {",
        'if (codings.length > 99) {',
      ],
      [
        'GET with a body',
        "if (framing.kind !== 'none' && bodiless.has(wire.method) &&",
        "if (framing.kind !== 'none' && wire.method === '' &&",
      ],
      ['any expectation', "expect[0].toLowerCase() !== '100-continue'", "expect[0].toLowerCase() === ''"],
      [
        'another host inside a tunnel',
        'if (endpoint.origin === place.endpoint.origin) return null;',
        'if (endpoint.origin) return null;',
        [test('agreement')],
      ],
      [
        'origin-form on the proxy',
        'if (absolute || rules.isOwnName(endpoint.host)) return null;',
        'if (endpoint.host) return null;',
        [test('agreement')],
      ],
      [
        'fragments and backslashes',
        "if (code <= 0x20 || code >= 0x7f || url[i] === '\\\\' || url[i] === '#') {",
        'if (code <= 0x20 || code >= 0x7f) {',
      ],
    ],
  ),
  ...mutationsOf(
    src('http/authority'),
    [test('head')],
    [
      ['userinfo', "char === '@' || ", '', [test('framing')]],
      ['padded ports', "(text.startsWith('0') && text !== '0')", "text === ''"],
      ['text behind a bracket', ' || (bracket > 0 && host.length !== bracket)', ''],
      ['ports over 65535', 'port >= 1 && port <= 65_535', 'port >= 1'],
    ],
  ),
  ...mutationsOf(
    src('http/connect-head'),
    [test('agreement')],
    [
      ['Host may differ from CONNECT', 'named === null || !agree || ', 'named === null || '],
      ['CONNECT with a body', 'if (framed || ', 'if (', [test('hostile-agreement')]],
    ],
  ),
  ...mutationsOf(
    src('http/headers'),
    [test('framing')],
    [
      [
        'hop-by-hop headers are forwarded',
        'if (named.has(key) || isDropped(dashed(key))) continue;',
        'if (named.has(key)) continue;',
      ],
      [
        'what Connection names is forwarded',
        'if (named.has(key) || isDropped(dashed(key))) continue;',
        'if (isDropped(dashed(key))) continue;',
      ],
      ['room in headers that nobody reads', 'informational.has(key) ||', '', [test('head')]],
      ['underscores hide a header', 'isDropped(dashed(key))', 'isDropped(key)'],
      [
        'any Accept-Encoding',
        "kept.push(key === 'accept-encoding' ? [name, narrowCodings(value)] : [name, value]);",
        'kept.push([name, value]);',
      ],
      ['Alt-Svc is relayed', ' || answerDropped.has(key) || ', ' || ', [test('upstream')]],
      ['a server speaks as Cordon', " || key.startsWith('cordon-')", '', [test('upstream')]],
    ],
  ),
  ...mutationsOf(
    src('http/body'),
    [test('body')],
    [
      ['a body of any size', 'if (bytes > limits.bodyBytesMax) {', 'if (bytes < 0) {', [test('hostile-size')]],
      [
        'any number of bodies in memory',
        'if (!holding.take(chunk.length)) {',
        'if (holding.take(chunk.length) === undefined) {',
      ],
      [
        'a body that stops is waited for',
        'const idle = setTimeout(late, limits.bodyIdleMs);',
        'const idle = setTimeout(() => undefined, limits.bodyIdleMs);',
      ],
      ['any number of pieces', 'if (pieces.count > limits.bodyPiecesMax)', 'if (pieces.count < 0)', [test('pieces')]],
      ['a bomb is called unreadable', "error.code === 'coding-too-large'", "error.code === ''", [test('hostile-size')]],
    ],
  ),
  ...mutationsOf(
    src('http/payload'),
    [test('body')],
    [
      ['JSON is believed', "if (parsed.ok) return 'json';", "if (parsed) return 'json';", [test('hostile-size')]],
      ['text is believed', "if (!isUtf8(body.readable)) return 'opaque';", ''],
    ],
  ),
  ...mutationsOf(
    src('http/target'),
    [test('framing')],
    [['any number of query pairs', 'if (query.length > queryPairsMax) return', 'if (query.length < 0) return']],
  ),
  ...mutationsOf(
    src('perform'),
    [test('last-step')],
    [
      [
        'the permit is not spent',
        '  consumePermit(permit, minter, {',
        '  ((..._: unknown[]) => undefined)(permit, minter, {',
      ],
    ],
  ),
  ...mutationsOf(
    src('stop-gate'),
    [test('last-step')],
    [
      [
        'a stopped session goes on',
        'if (session.stopped || permit.session !== session.id) {',
        'if (permit.session !== session.id) {',
      ],
      ['no right to decide', 'if (!right.alive) {', 'if (right.alive === undefined) {'],
    ],
  ),
  ...mutationsOf(
    src('effect'),
    [test('stop')],
    [
      ['policy is not asked again before sending', 'checkPolicy(road, session, permit, made);', ''],
      ['policy is not asked again before relaying', 'checkPolicy(road, session, permit, made, answer);', ''],
    ],
  ),
  ...mutationsOf(src('decide'), [test('body')], [['any rate', 'if (waitMs > 0) {', 'if (waitMs < 0) {']]),
  ...mutationsOf(
    src('conclude'),
    [test('shed')],
    [['the ledger fills its disk', 'if (road.diskFull())', 'if (road.diskFull() && intent === null)']],
  ),
  ...mutationsOf(
    src('road'),
    [test('secrets')],
    [['placeholders hide behind escapes', '...target.query.map(decodedPair)]', ']']],
  ),
  ...mutationsOf(
    src('relay'),
    [test('upstream')],
    [
      ['an answer of any size', 'if (bytesIn > limits.answerBytesMax) {', 'if (bytesIn < 0) {'],
      ['the part over the cap is relayed', '        settled = true;', '', [test('hostile-size')]],
      [
        'an unknown coding is relayed beside a secret',
        '  if (coding === null) {',
        '  if (coding === undefined) {',
        [test('secrets')],
      ],
      ['headers are not searched', '.map(([name, value]) => [name, scrubber.text(value)]);', ';', [test('secrets')]],
      [
        'a reader that reads nothing is waited for',
        "else fail(new GatewayError('slow-reader', 'the agent read nothing for too long'));",
        'else waitForReader();',
        [test('limits')],
      ],
    ],
  ),
  ...mutationsOf(
    src('listen/listener'),
    [test('limits')],
    [
      [
        'any number of connections',
        'if (session.sockets.size >= limits.connectionsPerSessionMax) {',
        'if (session.sockets.size < 0) {',
      ],
    ],
  ),
  ...mutationsOf(
    src('session/session'),
    [test('limits')],
    [
      ['any number of requests', 'if (this.#inFlight >= this.#limits.requestsInFlightMax) return false;', ''],
      ['a stop leaves sockets open', 'if (stopped) this.#cutAll();', '', [test('stop')]],
      [
        'streams outlive their policy',
        'if (!stream.permitted()) stream.controller',
        'if (stream.permitted() === undefined) stream.controller',
        [test('stop')],
      ],
    ],
  ),
  ...mutationsOf(
    src('session/held'),
    [test('body')],
    [['a session holds any number of bytes', 'if (this.#held + bytes > this.#max) return false;', '']],
  ),
  ...mutationsOf(
    src('session/refusals'),
    [test('limits')],
    [['every refusal is recorded', 'if (this.#inWindow >= perMinuteMax) {', 'if (this.#inWindow < 0) {']],
  ),
  ...mutationsOf(
    src('control/right'),
    [test('stop')],
    [['the right to decide never ends', 'return this.#clock.monotonic() < this.#untilMs;', 'return true;']],
  ),
  ...mutationsOf(
    src('control/policies'),
    [test('last-step')],
    [
      [
        'an older generation is taken',
        'if (this.#tenant !== null && policy.generation < this.#tenant.generation) {',
        'if (policy.generation < 0) {',
      ],
      [
        'an older revision is taken',
        'if (before !== undefined && policy.revision < before.revision) {',
        'if (policy.revision < 0) {',
      ],
      ['a foreign tenant is taken', 'if (tenant !== this.#tenantName) {', "if (tenant === '') {"],
    ],
  ),
  ...mutationsOf(
    src('refuse/quote'),
    [test('head')],
    [
      [
        'control characters are quoted as they are',
        "if (code >= 0x20 && code <= 0x7e && char !== '\\\\') out += char;",
        'if (code > 0) out += char;',
      ],
    ],
  ),
];
