import { type Mutation, mutationsOf } from './mutation.ts';

const verify = ['packages/sdk/test/effector.test.ts'];
const token = ['packages/protocol/test/permit.test.ts'];
const signer = ['packages/sandbox/test/supervisor/permit-signer.test.ts'];
const order = ['packages/policy/test/signed-permit.test.ts'];
const gateway = ['packages/gateway/test/signed-permit.test.ts'];

/** Permits in the form that leaves the host: written, signed, carried, verified. */
export const permitMutations: readonly Mutation[] = [
  ...mutationsOf('packages/protocol/src/permit/token.ts', token, [
    ['any size', 'if (token.length > limits.permitCharsMax)', 'if (token.length < 0)'],
    ['any number of parts', 'parts.length !== 3 || ', ''],
    ['a signature of any length', 'signature?.length !== 64', 'signature == null'],
    [
      'any header with a key in it',
      'return canonicalize(value as RecordValue) === headerOf(kid) ? kid : null;',
      'return kid;',
    ],
    [
      'any name of a key',
      "if (typeof kid !== 'string' || !keyIdPattern.test(kid)) return null;",
      "if (typeof kid !== 'string') return null;",
    ],
    ['many spellings of the body', 'canonicalize(value as RecordValue) === text ? value : null', 'value'],
    ['many spellings of base64url', 'return base64url(bytes) === text ? bytes : null;', 'return bytes;'],
  ]),
  ...mutationsOf('packages/protocol/src/permit/claims.ts', token, [
    ['further claims', 'names.length === Object.keys(checks).length &&', 'names.length > 0 &&'],
    ['lists in any order', '(i === 0 || String(value[i - 1]) < String(each))', 'i >= 0'],
    ['a time that is none', '&& !Number.isNaN(Date.parse(String(value)))', ''],
  ]),
  ...mutationsOf('packages/protocol/src/permit/request.ts', verify, [
    ['the method is not covered', '    method,\n    payload: {', "    method: 'POST',\n    payload: {"],
    ['the target is not covered', '    target,\n    v:', "    target: '/pay?x=1',\n    v:"],
    ['the headers are not covered', 'headers: [...values].sort', 'headers: [...values].slice(0, 0).sort'],
    ['a second line of a name hides', 'before === undefined ? kept :', 'before === undefined || before ? kept :'],
  ]),
  ...mutationsOf('packages/sdk/src/effector/verify.ts', verify, [
    ['the signature', 'if (!(await keys.verify(kid, read.signature, read.signed)))', 'if (!keys.has(kid))'],
    ['another effector', "if (claims.aud !== options.audience) return 'permit-audience';", ''],
    ['another start', 'boot !== null && claims.boot !== boot', 'boot === kid'],
    ['signed in the future', 'if (issued > now + limits.permitSkewMsMax)', 'if (issued > Number.MAX_VALUE)'],
    ['expired', 'now >= until || ', ''],
    ['any life', ' || until - issued > limits.permitLifeMsMax', ''],
    ['another epoch', 'epoch !== null && claims.epoch !== epoch', 'epoch === Number.NaN'],
    ['used', "(standing.used ? 'permit-used' : null) ??", ''],
    ['a session that does not run', '=== false ?', '=== null ?'],
    [
      'not on disk',
      "if (disk && recorded.tier !== 'disk') return 'permit-not-durable';",
      "if (disk && recorded.tier === null) return 'permit-not-durable';",
    ],
    [
      'obligations',
      'return obligations.every((text) => isKept(text, options, bytes)) ?',
      'return obligations.length >= 0 ?',
    ],
    ['more bytes than granted', 'most !== null && bytes <= Number(most[1])', 'most !== null && bytes >= 0'],
    ['another place', "if (claims.destination !== destination) return 'permit-destination';", ''],
    [
      'the body',
      'claims.payload.sha256 !== payload.sha256 || claims.payload.bytes !== payload.bytes',
      "payload.sha256 === ''",
    ],
    ['two credentials', 'lines(name) !== 1', 'lines(name) < 0'],
    [
      'the request',
      "return digest === claims.request ? null : 'permit-request';",
      'return digest === claims.aud ? null : null;',
    ],
    [
      'it is not marked',
      'const taken = await used.take(mark, now);',
      "const taken: Taken = now < 0 ? await used.take(mark, now) : 'taken';",
    ],
  ]),
  ...mutationsOf('packages/sdk/src/effector/keys.ts', verify, [
    ['a key under another name', "'base64url')) !== kid) {", "'base64url')) === '') {"],
    ['any number of keys', ' || read.data.keys.length > limits.permitKeysMax', ''],
  ]),
  ...mutationsOf('packages/sdk/src/effector/file.ts', verify, [
    ['used twice', "if (used) return 'used';", "if (used && nowMs < 0) return 'used';"],
    ['an older start', "if (outlived) return 'outlived';", ''],
    ['an older epoch', "if (superseded) return 'superseded';", ''],
    ['no bound', '>= this.#most) return', '>= 1e9) return'],
    ['forgotten too early', 'this.#forget.run(nowMs - limits.permitSkewMsMax);', 'this.#forget.run(nowMs);'],
    ['never forgotten', 'this.#forget.run(nowMs - limits.permitSkewMsMax);', ''],
  ]),
  ...mutationsOf('packages/sandbox/src/supervisor/permit-signer.ts', signer, [
    [
      'another tenant’s session',
      "if (session?.order.tenant !== tenant) return refused('session-unknown');",
      "if (session === undefined) return refused('session-unknown');",
    ],
    ['a stopped session', 'standing.killed || standing.stopped || (state', 'standing.killed || (state'],
    ['a lift after a kill', 'standing.killed || standing.stopped || (state', 'standing.stopped || (state'],
    ['a frozen or ended one', "(state !== 'running' && state !== 'starting')", 'state === null'],
    ['the epoch stays', 'standing.epoch += 1;', ''],
    ['any rate', "if (!this.#pay(standing)) return refused('permit-rate');", ''],
    ['any rate of all together', 'own === null || all === null', 'own === null'],
    ['any length', 'token.length > protocolLimits.permitCharsMax ?', 'token.length < 0 ?'],
    ['its memory grows', 'if (this.#options.sessionOf(session) === undefined) return;', ''],
  ]),
  ...mutationsOf('packages/policy/src/permit/signed.ts', order, [
    [
      'an order for nobody',
      "if (audience === null) throw new PolicyError('permit-unaddressed', 'the grant names no effector');",
      '',
    ],
    ['any answer', '!read.ok || canonicalOrder(read.claims) !== canonicalOrder(claims)', '!read.ok'],
  ]),
  ...mutationsOf('packages/policy/src/decide/obligation.ts', order, [
    [
      'one of two effectors',
      'if (audience !== null && audience !== duties.permit) unknown',
      "if (audience === '') unknown",
    ],
    [
      'a permit for what is no request',
      "if (action !== 'http.request' && audience !== null) unknown",
      "if (audience === '') unknown",
    ],
  ]),
  ...mutationsOf('packages/gateway/src/signed-permit.ts', gateway, [
    [
      'credentials are covered',
      "uses.map((use) => headers[use.header]?.[0].toLowerCase() ?? '')",
      "uses.flatMap(() => (headers.length < 0 ? ['x'] : []))",
    ],
  ]),
  ...mutationsOf('packages/gateway/src/control/permit-desk.ts', gateway, [
    ['any number waits', 'if (this.#waiting.size >= limits.permitsWaitedForMax)', 'if (this.#waiting.size < 0)'],
    ['it waits for ever', "fail(unavailable('the signer does not answer'))", 'undefined'],
  ]),
  ...mutationsOf('packages/gateway/src/http/head.ts', gateway, [
    [
      'an agent brings a permit',
      'headers.some(([name]) => dashed(name.toLowerCase()) === reserved)',
      "headers.some(([name]) => name === '')",
    ],
    ['an underscore hides it', 'dashed(name.toLowerCase()) === reserved', 'name.toLowerCase() === reserved'],
  ]),
];
