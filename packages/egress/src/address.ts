import { type AddressClass, addressClasses, specialPurpose } from './special-purpose.ts';

/** An IP address as a number; nothing here keeps a spelling that could be read in two ways. */
export interface Address {
  readonly family: 4 | 6;
  readonly value: bigint;
}

/** What the host adds to the registries. Taken anew by the composition root now and then: interfaces change. */
export interface HostView {
  /** Every address of this host, public ones too. */
  readonly self: readonly string[];
  /** Every TCP listener of this deployment; an unspecified address stands for every address of the host. */
  readonly control: ReadonlyArray<{ readonly address: string; readonly port: number }>;
}

export interface Block {
  readonly family: 4 | 6;
  readonly first: bigint;
  readonly last: bigint;
}

interface Segment {
  readonly last: bigint;
  readonly addressClass: AddressClass;
}

/** Strict text: four decimal octets without leading zeros, or RFC 4291 §2.2 without a zone. Null for all else. */
export function parseAddress(text: string): Address | null {
  if (text.includes(':')) {
    const value = parse6(text);
    return value === null ? null : { family: 6, value };
  }
  const value = parse4(text);
  return value === null ? null : { family: 4, value };
}

/** `10.0.0.0/8`, `fd00::/8`, or a bare address; host bits must be zero. Null for all else. */
export function parseBlock(text: string): Block | null {
  const slash = text.indexOf('/');
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === null) return null;
  const width = address.family === 4 ? 32 : 128;
  const length = slash < 0 ? width : decimal(text.slice(slash + 1), width);
  if (length === null) return null;
  const size = 1n << BigInt(width - length);
  if (address.value % size !== 0n) return null;
  return { family: address.family, first: address.value, last: address.value + size - 1n };
}

export function blockHolds(block: Block, address: Address): boolean {
  return block.family === address.family && block.first <= address.value && address.value <= block.last;
}

/** The worst class that applies; text that is no address is `reserved`, which is never allowed. */
export function classifyAddress(text: string, port: number, host: HostView): AddressClass {
  const address = parseAddress(text);
  if (address === null) return 'reserved';
  let worst = classOf(address);
  for (const candidate of [address, ...embedded(address)]) {
    worst = worse(worst, classOf(candidate));
    worst = worse(worst, hostClass(candidate, worst, port, host));
  }
  return worst;
}

function classOf(address: Address): AddressClass {
  const table = address.family === 4 ? table4 : table6;
  let low = 0;
  let high = table.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    const segment = table[middle];
    if (segment === undefined || address.value > segment.last) low = middle + 1;
    else high = middle;
  }
  return table[low]?.addressClass ?? 'reserved';
}

function hostClass(address: Address, known: AddressClass, port: number, host: HostView): AddressClass {
  const isSelf = host.self.some((text) => sameAddress(parseAddress(text), address));
  const local = isSelf || known === 'loopback' || known === 'unspecified';
  for (const listener of host.control) {
    if (listener.port !== port) continue;
    const bound = parseAddress(listener.address);
    if (bound === null || sameAddress(bound, address) || (bound.value === 0n && local)) return 'control';
  }
  return isSelf ? 'self' : 'public';
}

/** IPv4 addresses that an IPv6 address leads to. 6to4 and Teredo are not unwrapped: the table refuses them. */
function embedded(address: Address): Address[] {
  if (address.family === 4) return [];
  const inner: Address = { family: 4, value: address.value & 0xffff_ffffn };
  const high96 = address.value >> 32n;
  const compatible = high96 === 0n && address.value > 1n;
  const mapped = high96 === 0xffffn;
  const translated = high96 === 0xffff_0000n;
  const nat64 = high96 === 0x64_ff9bn << 64n || address.value >> 80n === 0x64_ff9b_0001n;
  // RFC 5214 §6.1: interface identifier 0000:5efe or 0200:5efe, then the IPv4 address, below any prefix.
  const isatap = (high96 & 0xfdff_ffffn) === 0x5efen;
  return compatible || mapped || translated || nat64 || isatap ? [inner] : [];
}

export function sameAddress(a: Address | null, b: Address | null): boolean {
  return a !== null && b !== null && a.family === b.family && a.value === b.value;
}

function worse(a: AddressClass, b: AddressClass): AddressClass {
  return addressClasses.indexOf(a) >= addressClasses.indexOf(b) ? a : b;
}

/** Nested blocks as one row of disjoint segments, so that a lookup is a binary search. */
function flatten(family: 4 | 6): readonly Segment[] {
  const rest: AddressClass = family === 4 ? 'public' : 'reserved';
  const top = (1n << (family === 4 ? 32n : 128n)) - 1n;
  const blocks = specialPurpose
    .map(([prefix, , addressClass]) => ({ block: parseBlock(prefix), addressClass }))
    .flatMap(({ block, addressClass }) =>
      block === null || block.family !== family ? [] : [{ ...block, addressClass }],
    );
  const edges = new Set<bigint>([top]);
  for (const block of blocks) {
    if (block.first > 0n) edges.add(block.first - 1n);
    edges.add(block.last);
  }
  const ends = [...edges].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  return ends.map((last) => {
    const holding = blocks.filter((block) => block.first <= last && last <= block.last);
    const smallest = holding.sort((a, b) => (a.last - a.first < b.last - b.first ? -1 : 1))[0];
    return { last, addressClass: smallest?.addressClass ?? rest };
  });
}

const table4 = flatten(4);
const table6 = flatten(6);

function parse4(text: string): bigint | null {
  const parts = text.split('.');
  if (parts.length !== 4) return null;
  let value = 0n;
  for (const part of parts) {
    const octet = decimal(part, 255);
    if (octet === null) return null;
    value = (value << 8n) | BigInt(octet);
  }
  return value;
}

function parse6(text: string): bigint | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const head = groups(halves[0] ?? '', halves.length === 1);
  const tail = halves.length === 2 ? groups(halves[1] ?? '', true) : [];
  if (head === null || tail === null) return null;
  const zeros = 8 - head.length - tail.length;
  if (halves.length === 2 ? zeros < 1 : zeros !== 0) return null;
  let value = 0n;
  for (const group of [...head, ...new Array<number>(zeros).fill(0), ...tail]) value = (value << 16n) | BigInt(group);
  return value;
}

function groups(text: string, mayEndIn4: boolean): number[] | null {
  if (text === '') return [];
  const out: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (part.includes('.')) {
      const inner = mayEndIn4 && index === parts.length - 1 ? parse4(part) : null;
      if (inner === null) return null;
      out.push(Number(inner >> 16n), Number(inner & 0xffffn));
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return null;
      out.push(Number.parseInt(part, 16));
    }
  }
  return out;
}

/** Digits only, no leading zero (which C libraries read as octal), at most `max`. */
function decimal(text: string, max: number): number | null {
  if (!/^(0|[1-9][0-9]{0,2})$/.test(text)) return null;
  const value = Number(text);
  return value <= max ? value : null;
}
