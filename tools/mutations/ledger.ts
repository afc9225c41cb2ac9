import { type Mutation, mutationsOf } from './mutation.ts';

const ledger = (name: string): string => `packages/ledger/test/${name}.test.ts`;
const src = (name: string): string => `packages/ledger/src/${name}.ts`;
const replay = ['apps/verify/test/replay.test.ts'];

/** Every check of the verifier, of what seals bodies, of witnesses and of receipts. */
export const ledgerMutations: readonly Mutation[] = [
  ...mutationsOf(
    src('verify/kill'),
    [ledger('kill')],
    [
      ['what comes after a kill is well', 'if (ms <= limits.killLeaseMs)', 'if (ms > 0)'],
      ['a kill reaches its session alone', 'scope.agent !== agent) continue;', 'true) continue;'],
      [
        'a clock that went back is a failure',
        'Math.min(Date.parse(entry.at), latest) - killed.at',
        'Date.parse(entry.at) - killed.at',
      ],
      [
        'a killed session may be ordered again',
        'kills.of(entry.session) !== null) {',
        'kills.of(entry.session) === undefined) {',
      ],
    ],
  ),
  ...mutationsOf('apps/verify/src/replay.ts', replay, [
    [
      'an intent that is not the one named',
      "if (digestRecord('intent', intent) !== record.intent || data['intent'] !== record.intent) return 'intent';",
      '',
    ],
    [
      'facts that are not those named',
      "if (digestRecord('facts', facts) !== record.facts || data['facts'] !== record.facts) return 'facts';",
      '',
    ],
    ['the clear part says another outcome', "record.outcome === data['outcome'] &&", 'true &&'],
    ['the clear part names another resource', "intent['resource'] === data['resource'] &&", 'true &&'],
    ['the layers are not those named', 'made.ok && made.snapshot.digest === digest', 'made.ok'],
    ['records are not compared', 'if (text === wanted) return', 'if (text === wanted || text !== "") return'],
    [
      'a gateway may add a yes',
      "outcome: 'deny', rung: null, code",
      'outcome: record.outcome, rung: null, code: record.code',
    ],
    [
      'an unknown engine is as good as ours',
      'if (engine === null) return gone(',
      "if (engine === null) return { kind: 'same' }; else if (engine === undefined) return gone(",
    ],
  ]),
  ...mutationsOf(src('verify/decisions'), replay, [
    [
      'a body that does not open is nothing',
      "if (opened.kind === 'wrong') {",
      "if (opened.kind === 'wrong' && entry.wseq < 0) {",
    ],
    ['a key that went without a word', '&& !policies.shredded.has(opened.missing)) {', "&& opened.missing === '') {"],
    [
      'a shredded key that opens',
      "if (typeof keys.find(key) !== 'string')",
      "if (typeof keys.find(key) === 'undefined')",
    ],
    [
      'what cannot be judged is good',
      "findings.count('notReplayable');\n  findings.leave(",
      "findings.count('same');\n  void (",
    ],
  ]),
  ...mutationsOf(src('verify/policies'), replay, [
    ['one generation with two contents', 'before.digest !== kept.digest) {', 'before.digest === kept.digest) {'],
  ]),
  ...mutationsOf(
    src('verify/witnesses'),
    [ledger('witness')],
    [
      ['no quorum', 'if (policy.satisfied(names)) return;', 'return;'],
      ['a fork', 'if (!root.equals(cosigned.root)) {', 'if (root.length === 0) {'],
      ['a shortened tree', 'if (cosigned.size > head.size) {', 'if (cosigned.size > 2 * head.size + 99) {'],
      [
        'nobody is believed',
        'findings.leave(unwitnessed);\n    return findings.report();\n  }\n  const note',
        'return findings.report();\n  }\n  const note',
      ],
    ],
  ),
  ...mutationsOf(
    src('witness/witness'),
    [ledger('witness')],
    [
      ['another old size', 'if (request.oldSize !== known.size) return', 'if (request.oldSize > known.size) return'],
      [
        'another root of the same size',
        '!known.root.equals(checkpoint.root)) return conflict',
        'known.size < 0) return conflict',
      ],
      ['no proof of consistency', 'if (!checkConsistency(known, checkpoint, request.proof))', 'if (known.size < 0)'],
      ['the head is not remembered', 'nodeFiles.replace(this.#pathOf(origin), request.checkpoint);', ''],
      [
        'not signed by the log',
        'if (checkpoint === null) return answer(403,',
        'if (checkpoint === undefined) return answer(403,',
      ],
    ],
  ),
  ...mutationsOf(
    src('witness/policy'),
    [ledger('witness')],
    [
      [
        'one key under two names',
        'if (this.#witnesses.some((other) => other.verifier.publicKey.equals(verifier.publicKey))) return false;',
        '',
      ],
      [
        'a witness in two groups',
        'if (known === undefined || known.used) return false;',
        'if (known === undefined) return false;',
      ],
      ['a group of nobody', 'if (needed < 1 || needed > rules.length) return false;', ''],
    ],
  ),
  ...mutationsOf(
    src('witness/cosignature'),
    [ledger('witness')],
    [
      ['any signature', 'verify(null, messageOf(text, seconds), witness.publicKey, signature)', 'signature.length > 0'],
      [
        'the text is not signed',
        'return Buffer.from(`cosignature/v1',
        "if (text !== '') return Buffer.from(String(seconds));\n  return Buffer.from(`cosignature/v1",
      ],
    ],
  ),
  ...mutationsOf(
    'apps/verify/src/targets.ts',
    ['apps/verify/test/verify.test.ts'],
    [
      ['half of the host’s ledger is none', 'traces.some(existsSync)', 'traces.every(existsSync)'],
      [
        'the home’s key goes before the reader’s',
        'readFileSync(given ?? key,',
        'readFileSync(given === null ? key : key,',
      ],
      [
        'the host’s ledger is not looked at',
        '(host === null ? [] : hostTarget(',
        '(host !== undefined ? [] : hostTarget(',
      ],
    ],
  ),
  ...mutationsOf(
    src('verify/heads'),
    [ledger('heads')],
    [
      ['a tree may be behind', 'if (size > head.size) {', 'if (size < 0) {'],
      [
        'a tree may be another',
        'if (toLeafText(rootOf(size, hashAt)) === root) continue;',
        'if (rootOf(size, hashAt).length === 32) continue;',
      ],
      ['a smaller head may follow a larger one', 'if (size < newest)', 'if (size < 0)'],
      ['heads of any log', 'heads.filter(({ log }) => log === head.origin)', 'heads.filter(() => true)'],
      ['no tree of the infrastructure is fine', 'findings.leave(unlogged);', ''],
    ],
  ),
  ...mutationsOf(
    src('verify/infrastructure'),
    [ledger('heads')],
    [
      [
        'its entries need not give its root',
        'if (edge.root().equals(under.root)) return heads;',
        'if (edge.size >= 0) return heads;',
      ],
    ],
  ),
  ...mutationsOf(
    src('verify/witnesses'),
    [ledger('heads')],
    [
      ['cosigned without this tree', 'if (own.length === 0) {', 'if (own.length < 0) {'],
      ['anybody cosigned the infrastructure', 'checkQuorum(findings, cosigned.note, policy);', ''],
      [
        'more was cosigned than there is',
        'if (cosigned.head.size > newest.head.size) {',
        'if (cosigned.head.size < 0) {',
      ],
    ],
  ),
  ...mutationsOf(
    src('tree/receipt'),
    [ledger('heads')],
    [
      ['the head of another log', 'said.log !== origin ||', ''],
      ['a head of another size', 'said.size !== size ||', ''],
      ['a head of another root', '|| said.root !== toLeafText(root)', ''],
      ['an unproved head', 'if (!logged.ok) return {', 'if (!logged.ok) return proved.ok ? proved : {'],
    ],
  ),
  ...mutationsOf(
    src('tree/checkpoint'),
    [ledger('second-line')],
    [
      [
        'the second signature may be gone',
        "second === 'absent' && age === 'newest'",
        "second === 'absent' && age === undefined",
      ],
      ['the second signature may be wrong', "if (second === 'wrong')", "if (second === 'wrong' && age === undefined)"],
    ],
  ),
  ...mutationsOf(
    src('tree/second-line'),
    [ledger('second-line')],
    [
      [
        'any second signature is good',
        'if (!verify(null, message,',
        'if (message.length === 0 && !verify(null, message,',
      ],
      [
        'another line makes up for a wrong one',
        "if (bytes.length !== 4 + timestampBytes + signatureBytes) return 'wrong';",
        'if (bytes.length !== 4 + timestampBytes + signatureBytes) continue;',
      ],
      ['a line that is no base64 is passed over', "if (bytes.length === 0) return 'wrong';", ''],
      ['the size is not signed', 'ends.writeBigUInt64BE(BigInt(size), 8);', ''],
    ],
  ),
  ...mutationsOf(
    src('tree/integrator'),
    [ledger('second-line')],
    [['a signature that was taken away is given again', "kept?.signedTwice === true ? 'newest' : 'older'", "'older'"]],
  ),
  ...mutationsOf(
    src('verify/tree'),
    [ledger('second-line')],
    [['kept heads may all lack it', "if (isSignedTwice(note, verifier)) age = 'newest';", '']],
  ),
  ...mutationsOf(
    src('tree/receipt'),
    [ledger('receipt')],
    [
      [
        'a path that leads elsewhere',
        'if (!checkInclusion(leaf, receipt.index,',
        'if (receipt.index < 0 && !checkInclusion(leaf, receipt.index,',
      ],
      ['too few witnesses', 'if (policy !== null && !witnessed) return', 'if (policy === undefined) return'],
      ['unpacks without end', 'maxOutputLength: limits.entryBytesMax,', ''],
    ],
  ),
  ...mutationsOf(
    src('verify/approvals'),
    [ledger('approvals')],
    [
      ['an approval that nobody gave', 'if (used === null) {\n    findings.fail(', 'if (used === null) {\n    void ('],
      [
        'answers that do not count',
        "if (typeof judged === 'string') {\n    findings.fail(",
        "if (typeof judged === 'string') {\n    void (",
      ],
      ['other answers than those recorded', 'if (!same) findings.fail(', 'if (!same) void ('],
      ['a use of what was void', 'if (hold.over !== null)', "if (hold.over === 'never')"],
      [
        'two uses of one attempt',
        'if (this.#uses.has(attempt)) this.#findings.fail(',
        'if (this.#uses.has(attempt)) void (',
      ],
      ['a second use counts as the first', 'hold.used += 1;', ''],
      ['a decision that hides its approval', 'if (use !== null || endorsed !== null)\n', 'if (use === undefined)\n'],
    ],
  ),
  ...mutationsOf(
    src('verify/people'),
    [ledger('approvals')],
    [['who was removed still signs', "if (act === 'people.remove') this.#known = others;", '']],
  ),
  ...mutationsOf(
    src('seal/seal'),
    [ledger('seal')],
    [
      [
        'a body is bound to no session',
        'return Buffer.from(`cordon/body/1',
        "if (session !== 'x') return Buffer.from(tenant + key);\n  return Buffer.from(`cordon/body/1",
      ],
      [
        'a body is bound to no tenant',
        'return Buffer.from(`cordon/body/1',
        "if (tenant !== 'x') return Buffer.from((session ?? '') + key);\n  return Buffer.from(`cordon/body/1",
      ],
    ],
  ),
  ...mutationsOf(
    src('seal/key-files'),
    [ledger('seal')],
    [
      [
        'a shredded session gets its key again',
        'if (this.shredded(session)) return',
        "if (this.shredded('nobody')) return",
      ],
      [
        'a wrapped key is bound to no session',
        'return Buffer.from(`cordon/body-key/1',
        "if (session !== 'x') return Buffer.from(this.options.tenant);\n    return Buffer.from(`cordon/body-key/1",
      ],
      ['any name is a file', "checkName('session', session.toLowerCase());", ''],
    ],
  ),
  ...mutationsOf(
    src('seal/keyring'),
    [ledger('seal')],
    [
      [
        'what has no key is kept in clear',
        'if (key === undefined) throw',
        'if (key === undefined) return null;\n    if (key === null) throw',
      ],
    ],
  ),
];
