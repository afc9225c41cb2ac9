import { type Mutation, mutationsOf } from './mutation.ts';

const test = (name: string): string => `packages/egress/test/${name}.test.ts`;
const gateway = (name: string): string => `packages/gateway/test/${name}.test.ts`;
const src = (name: string): string => `packages/egress/src/${name}.ts`;

export const egressMutations: readonly Mutation[] = [
  ...mutationsOf(
    src('address'),
    [test('address')],
    [
      ['NAT64 is not looked into', 'const nat64 = high96', 'const nat64 = high96 === 5n && high96'],
      ['mapped addresses are not looked into', 'const mapped = high96 === 0xffffn;', 'const mapped = high96 === 5n;'],
      [
        'compatible addresses are not looked into',
        'const compatible = high96 === 0n &&',
        'const compatible = high96 === 5n &&',
      ],
      [
        'translated addresses are not looked into',
        'const translated = high96 === 0xffff_0000n;',
        'const translated = high96 === 5n;',
      ],
      [
        'ISATAP is not looked into',
        'const isatap = (high96 & 0xfdff_ffffn) === 0x5efen;',
        'const isatap = high96 === 5n;',
      ],
      ['ISATAP with the global bit', '(high96 & 0xfdff_ffffn)', '(high96 & 0xffff_ffffn)'],
      ['own addresses are public', "return isSelf ? 'self' : 'public';", "return 'public';"],
      ['own listeners are ordinary', 'if (listener.port !== port) continue;', 'if (listener.port > 0) continue;'],
      ['a listener on every address is none', ' || (bound.value === 0n && local)', ''],
      ['octal numbers', '/^(0|[1-9][0-9]{0,2})$/', '/^[0-9]{1,3}$/'],
      ['blocks with host bits', 'if (address.value % size !== 0n) return null;', ''],
    ],
  ),
  ...mutationsOf(
    src('special-purpose'),
    [test('address')],
    [
      ["Alibaba's metadata is shared space", "  ['100.100.100.200/32', 'Alibaba Cloud metadata', 'metadata'],\n", ''],
      ["Azure's wire server is public", "  ['168.63.129.16/32', 'Azure wire server', 'metadata'],\n", ''],
      ['6to4 is public', "  ['2002::/16', '6to4 (RFC 3056)', 'reserved'],\n", ''],
      [
        'Teredo is public',
        "['2001::/23', 'IETF Protocol Assignments (RFC 2928)', 'reserved']",
        "['2001::/23', 'IETF Protocol Assignments (RFC 2928)', 'public']",
      ],
    ],
  ),
  ...mutationsOf(
    src('destination'),
    [test('destination')],
    [
      ['any port', 'if (trustedPorts.has(destination.port) &&', 'if (destination.port < 0 &&'],
      ['names of metadata', 'if (name !== undefined) {', 'if (name === null) {'],
      [
        'one good address is enough',
        '    if (refusal !== null) return refusal;\n  }',
        '    if (refusal === null) return null;\n  }',
      ],
      [
        'private without a range',
        'if (rules.some((rule) => holds(rule, text))) return null;',
        'if (text) return null;',
      ],
      ["loopback by a session's grant", 'rule.trusted && holds(rule, text)', 'holds(rule, text)'],
      ['a wildcard of another scheme', 'return scheme === destination.scheme && ', 'return '],
      ['a wildcard without its dot', 'const suffix = `.${', 'const suffix = `${'],
      ['a wildcard over an address', 'if (at < 0 || destination.literal) return false;', 'if (at < 0) return false;'],
    ],
  ),
  ...mutationsOf(
    src('pin'),
    [test('pin')],
    [
      ['answers are not judged', 'if (refusal !== null) return refusal;', ''],
      ['asked before it is judged', 'if (known !== null) return known;', ''],
    ],
  ),
  ...mutationsOf(
    src('dial'),
    [test('pin')],
    [
      ['an old pin is dialled', 'if (now > pin.expiresAt)', 'if (now < 0)'],
      ['any number of addresses is tried', '.slice(0, limits.dialTriesMax)', ''],
    ],
  ),
  ...mutationsOf(
    src('resolver'),
    [test('pin')],
    [
      ['any number of lookups', 'if (this.#flights.size >= limits.dnsInFlightMax) {', 'if (this.#flights.size < 0) {'],
      [
        'any number of addresses',
        'if (addresses.length > limits.dnsAddressesMax) return',
        'if (addresses.length < 0) return',
      ],
      ['a TTL of 0', 'Math.max(ttlMs, limits.dnsTtlMinMs)', 'ttlMs', [gateway('hostile-rebinding')]],
      ['a TTL of a day', 'limits.dnsTtlMaxMs)', 'Number.MAX_SAFE_INTEGER)'],
    ],
  ),
  ...mutationsOf(
    src('pool'),
    [gateway('hostile-rebinding')],
    [['a socket outlives its address', '[...pin.addresses].sort()', '[]']],
  ),
  ...mutationsOf(
    src('upstream'),
    [test('upstream')],
    [
      ['sockets are shared between credentials', ', request.credential]', ']'],
      ['a POST is sent twice', 'if (!request.retry || !idempotent.has(request.method)) {', 'if (!request.retry) {'],
    ],
  ),
  ...mutationsOf(
    src('exchange'),
    [test('upstream')],
    [
      ['any method', "|| head.method === 'CONNECT' || head.method === 'TRACE') {", ') {'],
      ['any target', 'if (!/^\\/[\\x21-\\x7e]*$/.test(head.target) &&', "if (head.target === '' &&"],
      ['framing by the caller', "if (oursAlone.has(lower) || lower.startsWith('proxy-'))", "if (lower === '')"],
      ['control characters in a header', 'if (/[^\\t\\x20-\\x7e\\x80-\\xff]/.test(value))', "if (value === '\\n')"],
      [
        'any number of interim answers',
        'if (interim > limits.interimAnswersMax)',
        'if (interim < 0)',
        [gateway('hostile-answer')],
      ],
      [
        'any number of answer headers',
        'if (pairs.length > limits.answerHeadersMax) return',
        'if (pairs.length < 0) return',
        [gateway('hostile-answer')],
      ],
      [
        'status below 200',
        'if ((answer.statusCode ?? 0) < 200) return',
        'if ((answer.statusCode ?? 0) < 0) return',
        [gateway('hostile-answer')],
      ],
      [
        'other transfer codings in answers',
        'if (codings.length > 1 || codings.some(',
        'if (codings.length > 99 && codings.some(',
        [gateway('hostile-answer')],
      ],
      [
        'chunked answers on HTTP/1.0',
        "if (codings.length > 0 && answer.httpVersion === '1.0') return",
        'if (codings.length > 99) return',
        [gateway('hostile-answer')],
      ],
      [
        'half an answer is whole',
        'if (!answer.complete) answer.destroy(',
        'if (answer.complete) answer.destroy(',
        [gateway('hostile-answer')],
      ],
    ],
  ),
  ...mutationsOf(
    src('clienthello'),
    [test('clienthello')],
    [
      ['an extension twice', 'if (seen.has(type)) throw', 'if (seen.has(-1)) throw'],
      ['two names', "if (list.left > 0) throw new Malformed('more than one server name');", ''],
      ['a name of another type', 'if (list.number(1) !== 0) throw', 'if (list.number(1) > 9) throw'],
      ['a name of 255 bytes', 'if (name.length === 0 || name.length > 253) throw', 'if (name.length === 0) throw'],
      [
        'any bytes in a name',
        'if (!name.every((byte) => byte > 0x20 && byte < 0x7f) || name.at(-1) === 0x2e) {',
        'if (name.at(-1) === 0x2e) {',
      ],
      ['a final dot', ' || name.at(-1) === 0x2e) {', ') {'],
      [
        'bytes behind the hello',
        "if (have > length) throw new Malformed('bytes follow the ClientHello');",
        'if (have > length) return new Reader(message.subarray(4, length));',
      ],
      ['bytes behind the extensions', "if (hello.left > 0) throw new Malformed('bytes follow the extensions');", ''],
      [
        'another record in between',
        'if (bytes.length > at && bytes[at] !== handshakeRecord) throw',
        'if (bytes.length < 0) throw',
      ],
      ['a hello of any length', 'if (length > messageBytesMax) throw', 'if (length < 0) throw'],
    ],
  ),
  ...mutationsOf(
    src('coding'),
    [test('coding')],
    [
      [
        'no ratio',
        'Math.max(limits.decodedFreeBytes, this.#in * limits.decodedRatioMax);',
        'Number.POSITIVE_INFINITY;',
        [gateway('hostile-size')],
      ],
      ['no cap', 'if (this.#out > Math.min(this.#max, byRatio)) {', 'if (this.#out > byRatio) {'],
      ['bytes behind the end', '{ rejectGarbageAfterEnd: true }', '{ rejectGarbageAfterEnd: false }'],
      [
        'any window',
        '[constants.ZSTD_d_windowLogMax]: 23',
        '[constants.ZSTD_d_windowLogMax]: 27',
        [gateway('hostile-size')],
      ],
      ['two codings', 'if (values.length > 1) return null;', ''],
      ['no cap without coding', 'if (this.#out > this.#max) done(egressError(', 'if (this.#out < 0) done(egressError('],
    ],
  ),
  ...mutationsOf(
    src('contexts'),
    [test('interception')],
    [['any number of new names', 'if (tokens < 1) throw', 'if (tokens < -1) throw']],
  ),
  ...mutationsOf(
    src('authority'),
    [test('interception')],
    [['a leaf outlives its CA', 'Math.min(nowMs + limits.leafLifeMs, this.notAfterMs)', 'nowMs + limits.leafLifeMs']],
  ),
];
