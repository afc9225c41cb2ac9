import { bundleType, type Person, trustType } from '@cordon/protocol';
import { createSigningKey, openSigningKey, signEnvelope } from '@cordon/protocol/dsse';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { manifestBytes, parseManifest } from '../src/bundle/manifest.ts';
import { type BundleFile, readTar, writeTar } from '../src/bundle/tar.ts';
import {
  buildBundle,
  checkSignatures,
  firstRoot,
  openBundle,
  openRoot,
  policyLimits,
  signaturesFor,
  type TrustRoot,
  trustBytes,
} from '../src/index.ts';

const content = {
  scope: 'tenant/local',
  generation: 3,
  previous: null,
  rungs: [{ quorum: 1, strong: false }],
  engine: `sha256:${'e'.repeat(64)}`,
  notBefore: '2026-01-01T00:00:00.000Z',
  expires: null,
  files: [
    { path: 'policies/site.cedar', text: 'permit (principal, action, resource);' },
    { path: 'grants/a.yaml', text: 'grants: []\n' },
    { path: 'tests/a.yaml', text: 'tests: []\n' },
  ],
};

function built(more: Partial<typeof content> = {}) {
  const result = buildBundle({ ...content, ...more });
  if (!result.ok) throw new TypeError(result.message);
  return result;
}
const file = (path: string, text = ''): BundleFile => ({ path, bytes: Buffer.from(text) });
const code = (bytes: Uint8Array): string => {
  const read = openBundle(bytes);
  return read.ok ? 'ok' : `${read.code}: ${read.message}`;
};

describe('an archive', () => {
  it('is the same bytes for the same files, in whatever order they come', () => {
    const one = writeTar([file('b/c', 'x'), file('a', 'y')]);
    expect(one.equals(writeTar([file('a', 'y'), file('b/c', 'x')]))).toBe(true);
    const read = readTar(one);
    expect(read.ok && read.files.map(({ path, bytes }) => `${path} ${Buffer.from(bytes).toString()}`)).toEqual([
      'a y',
      'b/c x',
    ]);
  });

  it('comes back as it went, whatever is in it', () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9._-]{0,8}(\/[a-z][a-z0-9]{0,5}){0,3}$/);
    fc.assert(
      fc.property(fc.dictionary(name, fc.uint8Array({ maxLength: 1500 }), { maxKeys: 6 }), (files) => {
        const written = Object.entries(files).map(([path, bytes]) => ({ path, bytes }));
        const read = readTar(writeTar(written));
        expect(read.ok && read.files.length).toBe(written.length);
        for (const { path, bytes } of read.ok ? read.files : []) {
          expect(Buffer.compare(Buffer.from(bytes), Buffer.from(files[path] ?? []))).toBe(0);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('has one form: no byte of it can be another and still be read as the same files', () => {
    const bytes = writeTar([file('a', 'hello'), file('b', 'x')]);
    for (let at = 0; at < bytes.length; at++) {
      const other = Buffer.from(bytes);
      other[at] = (other[at] ?? 0) ^ 1;
      const read = readTar(other);
      const same = read.ok && writeTar(read.files).equals(bytes);
      expect(same, `byte ${at}`).toBe(false);
      // What is read at all is read as exactly what the bytes say.
      if (read.ok) expect(writeTar(read.files).equals(other)).toBe(true);
    }
  });

  it.each<[string, (bytes: Buffer) => Buffer, RegExp]>([
    ['cut off', (bytes) => bytes.subarray(0, bytes.length - 512), /ends before its end|size is wrong/],
    ['with more behind it', (bytes) => Buffer.concat([bytes, Buffer.alloc(512)]), /behind the end/],
    ['with something in the end', (bytes) => set(bytes, bytes.length - 1, 1), /behind the end/],
    ['with something behind a file', (bytes) => set(bytes, 512 + 5, 1), /behind its end/],
    ['with a link', (bytes) => resum(set(bytes, 156, '2'.charCodeAt(0))), /not a plain file/],
    ['with a folder', (bytes) => resum(set(bytes, 156, '5'.charCodeAt(0))), /not a plain file/],
    ['with a time', (bytes) => resum(set(bytes, 146, '7'.charCodeAt(0))), /not a plain file/],
    ['with an owner', (bytes) => resum(set(bytes, 114, '7'.charCodeAt(0))), /not a plain file/],
    ['with a wrong sum', (bytes) => set(bytes, 148, '7'.charCodeAt(0)), /not a plain file/],
    ['with another size', (bytes) => resum(set(bytes, 124, '7'.charCodeAt(0))), /size is wrong/],
    ['with a size in base 256', (bytes) => resum(set(bytes, 124, 0x80)), /size is wrong/],
    ['with a name behind the name', (bytes) => resum(set(bytes, 2, 'x'.charCodeAt(0))), /name is not plain/],
    ['with a prefix', (bytes) => resum(set(bytes, 345, 'x'.charCodeAt(0))), /not a plain file/],
  ])('is refused %s', (_, change, why) => {
    const read = readTar(change(writeTar([file('a', 'hello')])));
    expect(read.ok ? 'read' : read.message).toMatch(why);
  });

  it.each(['../a', '/a', 'a/../b', 'a//b', './a', 'a/', '.hidden', 'a\\b', 'a b', 'ä'])(
    'holds no file called %j',
    (path) => {
      expect(readTar(raw(path)).ok).toBe(false);
    },
  );

  it('holds each name once, in order, and no more files and bytes than the limits', () => {
    const [a, b] = [writeTar([file('a')]).subarray(0, 512), writeTar([file('b')]).subarray(0, 512)];
    const end = Buffer.alloc(1024);
    expect(readTar(Buffer.concat([a, b, end])).ok).toBe(true);
    expect(readTar(Buffer.concat([a, a, end])).ok).toBe(false);
    expect(readTar(Buffer.concat([b, a, end])).ok).toBe(false);
    const many = Array.from({ length: policyLimits.bundleFilesMax + 1 }, (_, index) => file(`f${index}`));
    expect(readTar(writeTar(many)).ok).toBe(false);
    expect(readTar(writeTar(many.slice(1))).ok).toBe(true);
    const large = (bytes: number) => writeTar([{ path: 'a', bytes: new Uint8Array(bytes) }]);
    expect(readTar(large(policyLimits.bundleBytesMax - 1536)).ok).toBe(true);
    expect(readTar(large(policyLimits.bundleBytesMax - 1535)).ok).toBe(false);
  });
});

function set(bytes: Buffer, at: number, value: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[at] = value;
  return changed;
}

/** With a checksum that is right again, as an attacker would make it. */
function resum(bytes: Buffer): Buffer {
  const changed = Buffer.from(bytes);
  changed.fill(' ', 148, 156);
  const sum = changed.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  changed.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return changed;
}

/** A file of that name, which the writer would make too. */
function raw(path: string): Buffer {
  const bytes = writeTar([file('a')]);
  const changed = Buffer.from(bytes);
  changed.fill(0, 0, 100);
  changed.write(path.slice(0, 100), 0, 'latin1');
  return resum(changed);
}

describe('a bundle', () => {
  it('is named by its manifest, and its manifest names every byte', () => {
    const { bundle, bytes } = built();
    expect(bundle.files.map((each) => each.path)).toEqual(['grants/a.yaml', 'policies/site.cedar', 'tests/a.yaml']);
    expect(built().bundle.address).toBe(bundle.address);
    expect(built({ generation: 4 }).bundle.address).not.toBe(bundle.address);
    const read = openBundle(bytes);
    expect(read.ok && read.bundle).toEqual(bundle);
  });

  it('is refused when a file is another, more, or missing', () => {
    const { bytes } = built();
    const archive = readTar(bytes);
    const files = archive.ok ? archive.files : [];
    const other = files.map((each) =>
      each.path === 'policies/site.cedar'
        ? { ...each, bytes: Buffer.from('permit (principal, action, resourcf);') }
        : each,
    );
    expect(code(writeTar(other))).toMatch(/not the file that the manifest names/);
    expect(code(writeTar([...files, file('policies/z.cedar')]))).toMatch(/names other files/);
    expect(code(writeTar(files.slice(1)))).toMatch(/names other files|not the file/);
    expect(code(writeTar(files.filter((each) => each.path !== 'manifest.json')))).toMatch(/no manifest/);
  });

  it('is refused with files that nobody reads, and for another schema', () => {
    expect(buildBundle({ ...content, files: [file2('run.sh')] })).toMatchObject({ code: 'bundle-unsupported' });
    expect(buildBundle({ ...content, files: [file2('checks.yaml')] })).toMatchObject({ code: 'bundle-unsupported' });
    expect(buildBundle({ ...content, files: [file2('policies/../a.cedar')] }).ok).toBe(false);
    expect(buildBundle({ ...content, files: [file2('policies/a.cedar'), file2('policies/a.cedar')] }).ok).toBe(false);
  });

  it.each<[string, object]>([
    ['a member more', { more: 1 }],
    ['no generation', { generation: 0 }],
    ['a generation in text', { generation: '3' }],
    ['a scope of nobody', { scope: 'all' }],
    ['a ceiling', { layer: 'ceiling' }],
    ['another version', { v: 'bundle/2' }],
    ['a time without milliseconds', { notBefore: '2026-01-01T00:00:00Z' }],
    ['an expiry that is no time', { expires: 'never' }],
    ['a rung of nobody', { rungs: [{ quorum: 0, strong: false }] }],
  ])('has no manifest with %s', (_, more) => {
    const { manifest } = built().bundle;
    expect(parseManifest(manifestBytes(manifest)).ok).toBe(true);
    expect(parseManifest(manifestBytes({ ...manifest, ...more } as typeof manifest)).ok).toBe(false);
  });

  it('has one manifest: other spacing, order or a key twice is none', () => {
    const text = manifestBytes(built().bundle.manifest).toString();
    for (const other of [` ${text}`, text.replace(':', ': '), text.replace('{', '{"v":"bundle/1",'), `${text}\n`]) {
      expect(parseManifest(Buffer.from(other)).ok).toBe(false);
    }
  });
});

function file2(path: string) {
  return { path, text: '' };
}

const person = (sub: string): Person => ({ iss: 'local:0123456789abcdef', sub });
const people = ['ada', 'bob', 'eve', 'kim'].map((sub) => ({
  person: person(sub),
  key: openSigningKey(createSigningKey().privatePem),
}));
const [ada, bob, eve, kim] = people as [(typeof people)[0], (typeof people)[0], (typeof people)[0], (typeof people)[0]];
const signers = (...each: typeof people): TrustRoot['signers'] =>
  each.map(({ person: who, key }) => ({ person: who, key: key.pinned }));
const root = (more: Partial<TrustRoot> = {}): TrustRoot => ({
  v: 'trust/1',
  tenant: 'local',
  number: 1,
  kind: 'organisation',
  signers: signers(ada, bob, eve),
  thresholds: { bundle: 2, root: 2 },
  ...more,
});
const signedRoot = (next: TrustRoot, ...by: typeof people) =>
  signEnvelope(
    trustType,
    trustBytes(next),
    by.map(({ key }) => key),
  );

describe('signatures', () => {
  const { manifestBytes: manifest } = built().bundle;
  const sign = (bytes: Uint8Array, ...by: typeof people) =>
    signEnvelope(
      bundleType,
      bytes,
      by.map(({ key }) => key),
    );
  const verdict = (envelope: unknown, trust = root(), widening = false): string => {
    const checked = checkSignatures(envelope, manifest, trust, widening);
    return checked.ok ? checked.people.map(({ sub }) => sub).join() : checked.message;
  };

  it('are of as many different people as the root says, and one more where it widens', () => {
    expect(verdict(sign(manifest, ada, bob))).toBe('ada,bob');
    expect(verdict(sign(manifest, ada))).toMatch(/^1 of 2 people/);
    expect(verdict(sign(manifest, ada, bob), root(), true)).toMatch(/^2 of 3 people have signed, one more/);
    expect(verdict(sign(manifest, ada, bob, eve), root(), true)).toBe('ada,bob,eve');
    expect(signaturesFor(root(), true)).toBe(3);
    expect(signaturesFor(firstRoot('local', person('ada'), [ada.key.pinned]), true)).toBe(1);
  });

  it('count a person once, however many keys', () => {
    const second = { person: person('ada'), key: kim.key };
    expect(verdict(sign(manifest, ada, kim), root({ signers: signers(ada, second, bob, eve) }))).toMatch(/^1 of 2/);
  });

  it('of strangers, of another bundle, or wrong, are none', () => {
    expect(verdict(sign(manifest, kim))).toMatch(/no signature of anybody/);
    expect(verdict(sign(manifest, ada, kim))).toMatch(/^1 of 2/);
    expect(verdict(sign(built({ generation: 4 }).bundle.manifestBytes, ada, bob))).toMatch(/another bundle/);
    const good = sign(manifest, ada, bob);
    const [first, second] = good.signatures;
    const swapped = { ...good, signatures: [{ keyid: first?.keyid ?? '', sig: second?.sig ?? '' }, second] };
    expect(verdict(swapped)).toMatch(/or a wrong one/);
    expect(verdict({ ...good, payloadType: trustType })).toMatch(/no signature/);
    for (const odd of [null, {}, [], 'x', { ...good, more: 1 }]) expect(verdict(odd)).not.toBe('ada,bob');
  });
});

describe('a trust root', () => {
  const first = firstRoot('local', person('ada'), [ada.key.pinned]);
  const verdict = (envelope: unknown, current = first): string => {
    const opened = openRoot(envelope, current);
    return opened.ok ? `${opened.root.number}` : opened.message;
  };

  it('is signed by the old and by the new threshold', () => {
    const next = root();
    expect(verdict(signedRoot(next, ada, bob))).toBe('1');
    expect(verdict(signedRoot(next, ada))).toMatch(/1 of the 2 new signers/);
    expect(verdict(signedRoot(next, bob, eve))).toMatch(/old signers/);
    const without = root({ number: 2, signers: signers(bob, eve, kim) });
    expect(verdict(signedRoot(without, eve, kim), next)).toMatch(/1 of the 2 old signers/);
    expect(verdict(signedRoot(without, bob, eve), next)).toBe('2');
  });

  it('follows the one before it, and no other', () => {
    expect(verdict(signedRoot(root({ number: 2 }), ada, bob))).toMatch(/where 1 comes next/);
    expect(verdict(signedRoot(root(), ada, bob), root())).toMatch(/where 2 comes next/);
    expect(verdict(signedRoot(root({ tenant: 'other' }), ada, bob))).toMatch(/tenant other/);
  });

  it.each<[string, Partial<TrustRoot>]>([
    ['an organisation of one signature', { thresholds: { bundle: 1, root: 2 } }],
    ['fewer people than it asks for where something widens', { signers: signers(ada, bob) }],
    [
      'one key for two people',
      { signers: [...signers(ada, bob, eve), { person: person('kim'), key: ada.key.pinned }] },
    ],
    ['no threshold', { thresholds: { bundle: 0, root: 2 } }],
    ['another kind', { kind: 'club' as 'solo' }],
  ])('is none with %s', (_, more) => {
    expect(verdict(signedRoot(root(more), ada, bob, eve))).not.toBe('1');
  });

  it('has one form', () => {
    const text = trustBytes(root()).toString();
    const envelope = signEnvelope(trustType, ` ${text}`, [ada.key, bob.key]);
    expect(verdict(envelope)).toMatch(/not a trust root/);
  });
});
