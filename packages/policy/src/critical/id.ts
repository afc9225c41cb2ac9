import { type CanonicalResult, notCanonical, onlyCanonical } from './type.ts';

const shape = /^[\p{L}\p{N}_#@][\p{L}\p{M}\p{N}._:@/#+-]{0,255}$/u;
/** Scripts whose letters are taken for each other's (UTS 39 §4); a name is of one of them, with digits of ASCII. */
const scripts = [
  /\p{Script=Latin}/u,
  /\p{Script=Cyrillic}/u,
  /\p{Script=Greek}/u,
  /\p{Script=Armenian}/u,
  /\p{Script=Cherokee}/u,
  /\p{Script=Hebrew}/u,
  /\p{Script=Arabic}/u,
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u,
] as const;
/** Letters that look like Latin ones all by themselves: a name of nothing else is a disguise (whole-script confusable). */
const disguise = /^[асеорхуіӏјѕһԁԛԝьгнткмвαορνιτυχκηγ0-9._:@/#+-]+$/iu;

/** A name of a bounded grammar: one script, composed form, nothing invisible, no digits that only look like others. */
export function canonicalId(text: string): CanonicalResult {
  if (!shape.test(text)) return notCanonical('an id is letters, digits and . _ : @ / # + -, at most 256 characters');
  const composed = text.normalize('NFKC');
  if (composed !== text) return notCanonical('the id is not in composed form (NFKC)', composed);
  const letters = text.replaceAll(/[^\p{L}\p{M}]/gu, '');
  const used = scripts.filter((script) => script.test(letters)).length;
  if (used > 1) return notCanonical('the id mixes scripts whose letters look alike');
  if (/[^\p{ASCII}]/u.test(text) && disguise.test(text)) {
    return notCanonical('every letter of the id looks like a Latin one and is none');
  }
  if (/[\p{Nd}]/u.test(text.replaceAll(/[0-9]/g, ''))) return notCanonical('digits of an id are 0 to 9');
  return onlyCanonical(text, text);
}
