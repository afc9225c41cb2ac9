import { ledgerError } from '../error.ts';
import { limits } from '../limits.ts';
import { type CosignatureVerifier, parseCosignatureKey } from './cosignature.ts';

/** C2SP tlog-policy: which witnesses there are, and how many of them make a head that is believed. */
export interface WitnessPolicy {
  /** Verifier keys of logs; empty: whichever the reader knows. */
  readonly logs: readonly string[];
  readonly witnesses: readonly PolicyWitness[];
  /** Whether these, by name, are a quorum. */
  satisfied(names: ReadonlySet<string>): boolean;
}

export interface PolicyWitness {
  readonly name: string;
  readonly verifierKey: string;
  readonly verifier: CosignatureVerifier;
  /** Submission prefix of tlog-witness; null: only for verifying. */
  readonly url: string | null;
}

type Rule = (names: ReadonlySet<string>) => boolean;

/** @throws CordonError `ledger-option` with the line that is wrong */
export function parseWitnessPolicy(text: string): WitnessPolicy {
  const reading = new PolicyReading();
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the format names the octets that it allows
  if (/[\x00-\x08\x0b-\x1f\x7f]/.test(text)) throw ledgerError('ledger-option', 'a policy has no control characters');
  for (const [i, line] of text.split('\n').entries()) {
    const words = line.split(/[ \t]+/).filter((word) => word !== '');
    if (words.length === 0 || words[0]?.startsWith('#') === true) continue;
    if (!reading.take(words))
      throw ledgerError('ledger-option', `line ${i + 1} of the witness policy is not understood`);
  }
  return reading.finish();
}

class PolicyReading {
  readonly #logs: string[] = [];
  readonly #witnesses: PolicyWitness[] = [];
  /** By name; those that are in a group already may be in no other, so that each counts once. */
  readonly #rules = new Map<string, { readonly rule: Rule; used: boolean }>();
  #quorum: Rule | null = null;

  take([kind, ...words]: readonly string[]): boolean {
    if (this.#rules.size >= limits.witnessesMax) return false;
    if (kind === 'log') return this.#log(words);
    if (kind === 'witness') return this.#witness(words);
    if (kind === 'group') return this.#group(words);
    return kind === 'quorum' && this.#setQuorum(words);
  }

  /** @throws CordonError `ledger-option` */
  finish(): WitnessPolicy {
    const satisfied = this.#quorum;
    if (satisfied === null) throw ledgerError('ledger-option', 'the witness policy has no quorum line');
    return { logs: this.#logs, witnesses: this.#witnesses, satisfied };
  }

  #log([verifierKey, url, ...more]: readonly string[]): boolean {
    if (verifierKey === undefined || more.length > 0 || (url !== undefined && !isUrl(url))) return false;
    this.#logs.push(verifierKey);
    return true;
  }

  #witness([name, verifierKey, url, ...more]: readonly string[]): boolean {
    if (name === undefined || verifierKey === undefined || more.length > 0 || !this.#isFree(name)) return false;
    if (url !== undefined && !isUrl(url)) return false;
    const verifier = parseCosignatureKey(verifierKey);
    // One key under two names would be counted twice.
    if (this.#witnesses.some((other) => other.verifier.publicKey.equals(verifier.publicKey))) return false;
    this.#witnesses.push({ name, verifierKey, verifier, url: url ?? null });
    this.#rules.set(name, { rule: (names) => names.has(name), used: false });
    return true;
  }

  #group([name, count, ...members]: readonly string[]): boolean {
    if (name === undefined || count === undefined || members.length === 0 || !this.#isFree(name)) return false;
    const rules: Rule[] = [];
    for (const member of members) {
      const known = this.#rules.get(member);
      if (known === undefined || known.used) return false;
      known.used = true;
      rules.push(known.rule);
    }
    const needed =
      count === 'any' ? 1 : count === 'all' ? rules.length : /^[1-9][0-9]*$/.test(count) ? Number(count) : 0;
    if (needed < 1 || needed > rules.length) return false;
    this.#rules.set(name, { rule: (names) => rules.filter((rule) => rule(names)).length >= needed, used: false });
    return true;
  }

  #setQuorum([name, ...more]: readonly string[]): boolean {
    if (name === undefined || more.length > 0 || this.#quorum !== null) return false;
    this.#quorum = name === 'none' ? () => true : (this.#rules.get(name)?.rule ?? null);
    return this.#quorum !== null;
  }

  #isFree(name: string): boolean {
    return name !== 'none' && !this.#rules.has(name);
  }
}

function isUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:\/\//.test(text);
}
