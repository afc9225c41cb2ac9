import type { Choices } from './choices.ts';

const edges8 = [0, 1, 0x0a, 0x0d, 0x20, 0x7f, 0x80, 0xff] as const;
const edges16 = [0, 1, 0xff, 0x100, 0x7fff, 0x8000, 0xffff] as const;
const edges32 = [0, 1, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff] as const;
const edgesText = [
  '0',
  '-1',
  '1',
  '9',
  '00',
  '256',
  '65535',
  '65536',
  '4294967296',
  '9007199254740993',
  '1e3',
] as const;

export interface Material {
  readonly random: Choices;
  /** Words of the target's own; `literals` stand in the code and are many more. */
  readonly words: readonly Uint8Array[];
  readonly literals: readonly Uint8Array[];
  /** Another input, to take a part from. */
  other(): Uint8Array;
  readonly lengthMax: number;
}

type Mutation = (bytes: Uint8Array, material: Material) => Uint8Array;

/** A changed copy: one to eight small changes on top of each other. */
export function mutate(bytes: Uint8Array, material: Material): Uint8Array {
  const { random } = material;
  let changed = Uint8Array.from(bytes);
  for (let times = 1 << random.below(4); times > 0; times--) {
    const mutation = random.pick(mutations) ?? flipBit;
    changed = Uint8Array.from(mutation(changed, material).subarray(0, material.lengthMax));
  }
  return changed;
}

const flipBit: Mutation = (bytes, { random }) => {
  const at = random.below(bytes.length);
  if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
  return bytes;
};

const setByte: Mutation = (bytes, { random }) => {
  const at = random.below(bytes.length);
  if (at < bytes.length) bytes[at] = random.once(2) ? (random.pick(edges8) ?? 0) : random.below(256);
  return bytes;
};

const addToByte: Mutation = (bytes, { random }) => {
  const at = random.below(bytes.length);
  if (at < bytes.length) bytes[at] = ((bytes[at] ?? 0) + random.below(33) - 16) & 0xff;
  return bytes;
};

const setNumber: Mutation = (bytes, { random }) => {
  const size = random.once(2) ? 2 : 4;
  if (bytes.length < size) return bytes;
  const at = random.below(bytes.length - size + 1);
  const value = (size === 2 ? random.pick(edges16) : random.pick(edges32)) ?? 0;
  // Near the edge as often as on it, and lengths that could be true.
  const near = random.once(3) ? random.below(bytes.length + 4) : (value + random.below(3) - 1) >>> 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const little = random.once(2);
  if (size === 2) view.setUint16(at, near & 0xffff, little);
  else view.setUint32(at, near, little);
  return bytes;
};

const erase: Mutation = (bytes, { random }) => {
  const from = random.below(bytes.length);
  const length = 1 + random.below(random.once(2) ? 4 : bytes.length);
  return joined(bytes.subarray(0, from), bytes.subarray(from + length));
};

const insertBytes: Mutation = (bytes, { random }) => {
  const byte = random.once(2) ? random.below(256) : (random.pick(edges8) ?? 0);
  const length = 1 + random.below(random.once(4) ? 64 : 4);
  const made = Uint8Array.from({ length }, () => (random.once(2) ? byte : random.below(256)));
  return inserted(bytes, random.below(bytes.length + 1), made);
};

const insertWord: Mutation = (bytes, material) =>
  inserted(bytes, material.random.below(bytes.length + 1), wordOf(material));

const overwriteWord: Mutation = (bytes, material) => {
  const { random } = material;
  const word = wordOf(material);
  const at = random.below(bytes.length);
  return joined(bytes.subarray(0, at), word, bytes.subarray(at + (random.once(2) ? word.length : random.below(8))));
};

const duplicate: Mutation = (bytes, { random }) => {
  const from = random.below(bytes.length);
  const part = bytes.slice(from, from + 1 + random.below(random.once(2) ? 16 : bytes.length));
  const times = random.once(8) ? 1 + random.below(40) : 1;
  return inserted(bytes, random.below(bytes.length + 1), joined(...Array.from({ length: times }, () => part)));
};

const move: Mutation = (bytes, { random }) => {
  const from = random.below(bytes.length);
  const part = bytes.slice(from, from + 1 + random.below(32));
  const without = joined(bytes.subarray(0, from), bytes.subarray(from + part.length));
  return inserted(without, random.below(without.length + 1), part);
};

const splice: Mutation = (bytes, { random, other }) => {
  const second = other();
  const from = random.below(second.length);
  const part = second.subarray(from, from + 1 + random.below(second.length));
  const at = random.below(bytes.length + 1);
  return random.once(2) ? inserted(bytes, at, part) : joined(bytes.subarray(0, at), part);
};

/** A decimal number in a text becomes another one. */
const changeDigits: Mutation = (bytes, { random }) => {
  const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x30 && byte <= 0x39;
  const start = bytes.findIndex((byte, at) => isDigit(byte) && at >= random.below(bytes.length));
  if (start < 0) return bytes;
  let end = start;
  while (isDigit(bytes[end])) end++;
  const number = random.once(2) ? String(random.below(300)) : (random.pick(edgesText) ?? '0');
  return joined(bytes.subarray(0, start), Buffer.from(number), bytes.subarray(end));
};

const changeCase: Mutation = (bytes, { random }) => {
  const from = random.below(bytes.length);
  for (let at = from; at < Math.min(bytes.length, from + 1 + random.below(8)); at++) {
    const byte = bytes[at] ?? 0;
    if ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a) bytes[at] = byte ^ 0x20;
  }
  return bytes;
};

const mutations: readonly Mutation[] = [
  flipBit,
  setByte,
  addToByte,
  setNumber,
  erase,
  erase,
  insertBytes,
  insertWord,
  insertWord,
  overwriteWord,
  duplicate,
  move,
  splice,
  changeDigits,
  changeCase,
];

function wordOf({ random, words, literals }: Material): Uint8Array {
  return (random.once(4) ? random.pick(literals) : random.pick(words)) ?? new Uint8Array(0);
}

function inserted(bytes: Uint8Array, at: number, part: Uint8Array): Uint8Array {
  return joined(bytes.subarray(0, at), part, bytes.subarray(at));
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}
