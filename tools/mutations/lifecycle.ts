import { type Mutation, mutationsOf } from './mutation.ts';

const policyTest = (name: string): string => `packages/policy/test/${name}.test.ts`;
const planeTest = (name: string): string => `packages/control-plane/test/${name}.test.ts`;
const bundle = (name: string): string => `packages/policy/src/bundle/${name}.ts`;
const space = (name: string): string => `packages/policy/src/space/${name}.ts`;
const plane = (name: string): string => `packages/control-plane/src/policy/${name}.ts`;

export const lifecycleMutations: readonly Mutation[] = [
  ...mutationsOf(
    bundle('tar'),
    [policyTest('bundle')],
    [
      ['any size', 'if (bytes.length > limits.bundleBytesMax) return', 'if (bytes.length < 0) return'],
      ['any number of files', 'if (files.length >= limits.bundleFilesMax) return', 'if (files.length < 0) return'],
      ['any name', 'if (!isPlainPath(path)) return', 'if (path.length < 0) return'],
      ['a name twice', 'if (before !== undefined && before >= path) return', 'if (before === "") return'],
      [
        'links, owners and times',
        'if (!data.subarray(at, at + block).equals(headerOf(path, size))) return',
        'if (size < 0) return',
      ],
      ['bytes behind a file', 'if (data.subarray(end, at).some((byte) => byte !== 0))', 'if (at < 0)'],
      [
        'bytes behind the end',
        'if (data.length !== at + 2 * block || data.subarray(at).some((byte) => byte !== 0)) {',
        'if (at < 0) {',
      ],
    ],
  ),
  ...mutationsOf(
    bundle('manifest'),
    [policyTest('bundle')],
    [
      [
        'any shape',
        "if (!shape(read.value)) return refuse('bundle-malformed'",
        "if (read.value === null) return refuse('bundle-malformed'",
      ],
      ['two spellings', 'if (!manifestBytes(manifest).equals(bytes)) {', 'if (bytes.length < 0) {'],
    ],
  ),
  ...mutationsOf(
    bundle('bundle'),
    [policyTest('bundle')],
    [
      ['other bytes than the manifest names', ' || named.sha256 !== digestBytes(file.bytes)) {', ') {'],
      ['files that nobody named', 'if (found.length !== manifest.files.length) return', 'if (found.length < 0) return'],
      ['files that nobody reads', 'if (!known.test(file.path)) return', 'if (file.path === "") return'],
    ],
  ),
  ...mutationsOf(
    bundle('trust'),
    [policyTest('bundle')],
    [
      ['too few people', 'if (people.length < wanted) {\n    const why', 'if (people.length < 0) {\n    const why'],
      [
        'no further person for what widens',
        "(kind === 'organisation' && widening ? 1 : 0);\n}\n\n/** Who has signed",
        '0;\n}\n\n/** Who has signed',
      ],
      ['keys for people', 'people.set(JSON.stringify([person.iss, person.sub]), person)', 'people.set(key.id, person)'],
      ['signatures of another bundle', 'if (!payload.equals(manifest)) return', 'if (payload.length < 0) return'],
      ['a root out of turn', 'if (root.number !== current.number + 1) return', 'if (root.number < 0) return'],
      ['a root of another tenant', 'if (root.tenant !== current.tenant) return', 'if (root.tenant === "") return'],
      ['the old signers', "['old', current],", ''],
      ['the new signers', "['new', root],", ''],
      ['an organisation of one', "const least = kind === 'organisation' ? 2 : 1;", 'const least = 1;'],
      ['more signatures than people', 'if (people < most) return', 'if (people < 0) return'],
      ['a key twice', "return new Set(ids).size === ids.length ? null : 'a key stands there twice';", 'return null;'],
      ['other spellings of a root', 'return trustBytes(root).equals(bytes) ? root : null;', 'return root;'],
    ],
  ),
  ...mutationsOf(
    space('property'),
    [policyTest('space')],
    [
      ['T2', "effect === 'share' || effect === 'spend' || effect === 'admin'", "effect === 'none'"],
      ['T3', "effect: (effect) => effect !== 'read',", "effect: (effect) => effect === 'none',"],
      ['secrets of T4', "'flow.argConf': atLeast(3),", "'flow.argConf': atLeast(4),"],
      ['T5', "return ['live', 'covered', 'pinned']", "return ['live']"],
      [
        'forbids that end on the way to danger',
        "const ends = table.read.policy.effect === 'forbid' ? 1 : 0;",
        'const ends = 0;',
      ],
    ],
  ),
  ...mutationsOf(
    space('search'),
    [policyTest('space')],
    [
      ['forbids', 'forbids.every((forbid) => !holds(forbid, at)) && layers', 'layers'],
      [
        'layers',
        '&& layers.every((layer) => layer.some((permit) => holds(permit, at)));\n  const descend',
        ';\n  const descend',
      ],
    ],
  ),
  ...mutationsOf(space('cut'), [policyTest('space')], [['borders of at most', "'<=': [1],", "'<=': [],"]]),
  ...mutationsOf(
    space('diff'),
    [policyTest('space-diff')],
    [
      ['what widens', 'widening: strength[to] > strength[from],', 'widening: false,'],
      ['other limits', 'return was === is ? []', 'return was !== "" ? []'],
      ['other addresses', '.filter((rule) => !known.has(JSON.stringify(rule)))', '.filter(() => false)'],
    ],
  ),
  ...mutationsOf(
    plane('lifecycle'),
    [planeTest('lifecycle')],
    [
      ['signatures', 'if (!first.ok)', 'if (first === null)'],
      ['the signature for what widens', 'if (!signed.ok)\n', 'if (signed === null)\n'],
      ['another tenant', 'if (manifest.scope !== scope)', 'if (manifest.scope === "")'],
      ['another engine', 'if (manifest.engine !== engine.digest) {', 'if (manifest.engine === "") {'],
      ['too early', 'if (now < manifest.notBefore) throw', 'if (now === "") throw'],
      ['expired', 'if (manifest.expires !== null && now >= manifest.expires) {', 'if (now === "") {'],
      [
        'other approvals',
        'JSON.stringify(candidate.policy.rungs ?? []) !== JSON.stringify(manifest.rungs)',
        'manifest.v === undefined',
      ],
      ['the proof', 'if (wrong.length > 0) throw invalid(wrong);', ''],
      ['its own tests', 'if (failed.length === 0) return;', 'if (failed.length >= 0) return;'],
    ],
  ),
  ...mutationsOf(
    plane('tenant'),
    [planeTest('lifecycle')],
    [
      [
        'an entry that a crash left out',
        'if (kept !== null && past !== null && (await recordedUpTo(options)) < kept.generation) {',
        'if (kept === null && past !== null) {',
      ],
      [
        'that a bundle is in force',
        'if (this.#bundle !== null) return await',
        'if (this.#digest === "") return await',
        [planeTest('lifecycle')],
      ],
    ],
  ),
  ...mutationsOf(
    'packages/store/src/policies.ts',
    [planeTest('lifecycle'), 'packages/store/test/store.test.ts', 'packages/store/test/records.test.ts'],
    [['a number twice', 'if (generation <= highest) {', 'if (generation < 0) {']],
  ),
  ...mutationsOf(
    'packages/control-plane/src/uplink/gateways.ts',
    [planeTest('lifecycle')],
    [
      [
        'what a gateway says that it took',
        'if (answer?.digest === digest) return true;',
        'if (answer !== null) return true;',
      ],
      ['a gateway that is cut off', 'gateway.channel.close();\n        return false;', 'return false;'],
    ],
  ),
  ...mutationsOf(
    'apps/cordon/src/commands/policy/cosign.ts',
    ['apps/cordon/test/cosign.test.ts'],
    [
      [
        'damaged signatures are taken for none',
        'signatures: [...envelope.signatures] };',
        'signatures: [...envelope.signatures] };\n  if (envelope === null) return null;',
      ],
      ['whatever lies in the file', 'if (isEnvelope(envelope)) return', 'if (envelope !== null) return'],
    ],
  ),
];
