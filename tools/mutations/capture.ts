import { type Mutation, mutationsOf } from './mutation.ts';

const src = (name: string): string => `packages/gateway/src/capture/${name}.ts`;
const names = ['packages/gateway/test/names.test.ts'];
const isolation = ['packages/sandbox/test/process/isolation.test.ts'];

export const captureMutations: readonly Mutation[] = [
  ...mutationsOf(src('dns-message'), names, [
    ['an answer is answered', 'if ((flags & 0x8000) !== 0)', 'if (flags > 0xffff)'],
    ['other operations are questions', 'if ((flags & 0x7800) !== 0)', 'if (flags > 0xffff)'],
    ['messages of any length', 'bytes.length > queryBytesMax || ', ''],
    ['two questions', 'questions !== 1 || ', ''],
    ['answers in a question', 'answers !== 0 || ', ''],
    ['authorities in a question', ' || authorities !== 0)', ')'],
    ['bytes behind the question', '(additional !== 0 || end !== bytes.length)', 'additional !== 0'],
    ['any record for an extension', ' || bytes.readUInt16BE(at + 1) !== optType)', ')'],
    [
      'an extension of any length',
      'return at + optBytes + bytes.readUInt16BE(at + optBytes - 2) === bytes.length;',
      'return true;',
    ],
    ['compression pointers are labels', 'length > labelBytesMax || ', ''],
    ['names of any length', ' || at + 1 + length - headerBytes >= nameBytesMax)', ')'],
    ['a dot inside a label', 'plain &&= /^[a-z0-9_-]+$/.test(label);', ''],
  ]),
  ...mutationsOf(src('name-server'), names, [
    ['no rate', 'if (this.#tokens < 1) return false;', ''],
    ['another class', 'if (name === null || !internet)', 'if (name === null)'],
    ['every name is known', "known()?.knows(name) === true) return 'NOERROR';", "known() !== null) return 'NOERROR';"],
    ['v6 where nothing listens', 'type === dnsTypes.aaaa && this.hasV6', 'type === dnsTypes.aaaa'],
  ]),
  ...mutationsOf(src('synthetic'), names, [
    ['no limit of names', 'if (this.#places.size > this.#namesMax) this.#dropOldest();', ''],
    ['two names at one address', 'while (this.#names.has(place))', 'while (place < 0)'],
  ]),
  ...mutationsOf(
    'packages/policy/src/gate/reach.ts',
    ['packages/policy/test/known-names.test.ts'],
    [
      ['a deny makes a name known', "effect !== 'permit' || ", ''],
      ['an address is a name', "read.ok && read.kind === 'name'", 'read.ok'],
    ],
  ),
  ...mutationsOf(
    'packages/policy/src/known-names.ts',
    ['packages/policy/test/known-names.test.ts'],
    [
      [
        'names that end alike',
        'domains.has(host.slice(at + 1))',
        '[...domains].some((domain) => host.endsWith(domain))',
      ],
    ],
  ),
  {
    name: 'capture: what is no TCP passes',
    file: 'native/launch/capture.c',
    find: 'put_number(netlink, NFTA_VERDICT_CODE, NF_DROP);',
    replace: 'put_number(netlink, NFTA_VERDICT_CODE, NF_ACCEPT);',
    tests: isolation,
    only: 'loopback and nothing else',
  },
];
