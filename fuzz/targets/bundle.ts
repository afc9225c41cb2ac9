import { buildBundle, openBundle } from '../../packages/policy/src/bundle/bundle.ts';
import { readTar, writeTar } from '../../packages/policy/src/bundle/tar.ts';
import { InputChoices } from '../engine/choices.ts';
import { must, type Target } from '../engine/target.ts';

const block = 512;

export const target: Target = {
  name: 'bundle',
  about: 'policy bundles: the archive, its manifest, and the files that the manifest names',
  oracle:
    'an archive that is read is, written again, the same bytes, with plain names in order, each once; a bundle that opens has every byte named by its manifest; and what we pack opens as what went in',
  lengthMax: 12_000,
  shortRuns: 3000,
  dictionary: [
    'ustar\x0000',
    '0000644\0',
    '0000000\0',
    '00000000000\0',
    'manifest.json',
    'policies/',
    '../',
    '/',
    '\0\0\0\0',
    '2',
    '5',
    'x',
    'L',
  ],
  seeds: () =>
    [
      packed('permit (principal, action, resource);'),
      packed(''),
      writeTar([]),
      writeTar([{ path: 'a', bytes: Buffer.from('x') }]),
      writeTar([
        { path: 'manifest.json', bytes: Buffer.from('{}') },
        { path: 'policies/a.cedar', bytes: Buffer.alloc(block) },
      ]),
    ].flatMap((bytes) => [0, 1].map((choice) => Buffer.concat([Buffer.from([choice]), bytes]))),
  /** The first byte chooses: checksums as they came, or put right, since no mutation finds them. */
  run(input, feedback) {
    const bytes = Buffer.from(input.subarray(1));
    if (((input[0] ?? 0) & 1) === 1) for (let at = 0; at + block <= bytes.length; at += block) resum(bytes, at);
    const read = readTar(bytes);
    feedback.note(read.ok ? 'archive' : read.message.replace(/^[^:]*: /, ''));
    if (read.ok) {
      must(writeTar(read.files).equals(bytes), 'an archive that is read is not the one that is written');
      const names = read.files.map((file) => file.path);
      must(JSON.stringify([...new Set(names)].sort()) === JSON.stringify(names), 'names twice or out of order', names);
      must(!names.some((name) => /(^|\/)\.|^\/|\\|\0/.test(name)), 'a name that is not plain', names);
    }
    const opened = openBundle(bytes);
    must(read.ok || !opened.ok, 'a bundle in what is no archive');
    if (opened.ok) {
      feedback.note('bundle');
      const { manifest, files } = opened.bundle;
      must(manifest.files.length === files.length + 1, 'a file beside those that the manifest names', manifest);
    }
    packAgain(input);
  },
};

/** Whatever a folder holds, what is packed of it opens as that, or is refused. */
function packAgain(input: Uint8Array): void {
  const choices = new InputChoices(input);
  const files = Array.from({ length: choices.below(4) }, (_, index) => ({
    path: `${['policies', 'grants', 'tests'][choices.below(3)]}/${index}${choices.below(2) === 0 ? '.cedar' : '.yaml'}`,
    text: Buffer.from(choices.bytes(60)).toString('latin1'),
  }));
  const built = buildBundle({ ...head, files });
  if (!built.ok) return;
  const opened = openBundle(built.bytes);
  must(opened.ok, 'what was packed does not open', files);
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
  must(JSON.stringify(opened.bundle.files) === JSON.stringify(sorted), 'other files than were packed', files);
}

const head = {
  scope: 'tenant/local',
  generation: 2,
  previous: null,
  rungs: [{ quorum: 1, strong: false }],
  engine: `sha256:${'e'.repeat(64)}`,
  notBefore: '2026-01-01T00:00:00.000Z',
  expires: null,
};

function packed(text: string): Buffer {
  const built = buildBundle({ ...head, files: [{ path: 'policies/a.cedar', text }] });
  if (!built.ok) throw new TypeError(built.message);
  return built.bytes;
}

function resum(bytes: Buffer, at: number): void {
  bytes.fill(' ', at + 148, at + 156);
  const sum = bytes.subarray(at, at + block).reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, at + 148, 'latin1');
}
