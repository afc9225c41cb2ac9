import { type Mutation, mutationsOf } from './mutation.ts';

const test = (name: string): string => `packages/secrets/test/${name}.test.ts`;
const src = (name: string): string => `packages/secrets/src/${name}.ts`;

export const secretsMutations: readonly Mutation[] = [
  ...mutationsOf(
    src('plan'),
    [test('plan')],
    [
      [
        'a placeholder in the query',
        "if (found !== undefined) return misplaced(found, 'in the query', request, bindings);",
        '',
      ],
      [
        'a placeholder in a header name',
        'if (findPlaceholders(header).length > 0) {',
        'if (findPlaceholders(header).length > 9) {',
      ],
      ['two placeholders in one value', 'if (names.length > 1) {', 'if (names.length > 9) {'],
      [
        'any header, host and method',
        'if (!allowed) return misplaced(',
        'if (allowed === undefined) return misplaced(',
      ],
      [
        "the agent's own credentials ride along",
        'else if (droppedBesideSecrets.has(name) || taken.has(name)) continue;',
        'else if (taken.has(name)) continue;',
      ],
      [
        'a second header of the same name',
        'else if (droppedBesideSecrets.has(name) || taken.has(name)) continue;',
        'else if (droppedBesideSecrets.has(name)) continue;',
      ],
      [
        'underscores hide a credential',
        "return name.toLowerCase().replaceAll('_', '-');",
        'return name.toLowerCase();',
      ],
      ['text around a placeholder', 'value === binding.at.form.replace(', 'value !== binding.at.form.replace('],
      ['the required secret is left out', 'uses.push(addRequired(binding, headers));', ''],
    ],
  ),
  ...mutationsOf(
    src('binding'),
    [test('plan')],
    [
      ['over plain http', "return origin.startsWith('https://') && ", 'return '],
      ['any method', '(binding.methods === null || binding.methods.includes(request.method)) &&', ''],
      ['any path', 'binding.paths.some((pattern) => matchesPath(pattern, request.path))', 'binding.paths.length > 0'],
    ],
  ),
  ...mutationsOf(
    src('lease'),
    [test('lease')],
    [
      [
        'a secret that the grant does not lease',
        'if (denied !== undefined) return notGranted(',
        'if (denied === null) return notGranted(',
      ],
      [
        'over plain http',
        "if (names.length > 0 && !permit.destination.startsWith('https://')) return",
        'if (names.length > 99) return',
      ],
      ['a lease that has ended', 'if (!(lifeMs > 0)) {', 'if (lifeMs === 0.5) {'],
      ['a stop leaves values in use', 'for (const set of [...session.given]) set[Symbol.dispose]();', ''],
    ],
  ),
  ...mutationsOf(
    src('scrub'),
    [test('scrub')],
    [
      [
        'nothing is held back at a cut',
        'const open = whole ?? finder.firstOpen(at, match?.at ?? bytes.length);',
        'const open = whole ?? bytes.length;',
      ],
      [
        'the shortest form first',
        '.sort((a, b) => b.bytes.length - a.bytes.length);',
        '.sort((a, b) => a.bytes.length - b.bytes.length);',
      ],
      ['lets everything through once it is done', 'if (this.#disposed) throw', 'if (this.#held === undefined) throw'],
    ],
  ),
  ...mutationsOf(
    src('seal'),
    [test('store')],
    [
      [
        'a box opens in another place',
        "const cipher = key.reveal((bytes) => createDecipheriv('aes-256-gcm', bytes, nonce, { authTagLength: tagBytes }));\n  cipher.setAAD(Buffer.from(context, 'utf8'));",
        "const cipher = key.reveal((bytes) => createDecipheriv('aes-256-gcm', bytes, nonce, { authTagLength: tagBytes }));\n  cipher.setAAD(Buffer.from('', 'utf8'));",
      ],
    ],
  ),
];
