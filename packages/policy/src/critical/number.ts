import { type CanonicalResult, notCanonical, onlyCanonical } from './type.ts';

/** An amount in the smallest unit of its currency. A float has more than one decimal reading, so it is refused. */
export function canonicalMoney(value: unknown): CanonicalResult {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    return notCanonical('an amount is a whole number of the smallest unit, not negative, and no text');
  }
  return { ok: true, value: String(value), number: value };
}

/** ISO 13616: letters and digits without spaces, and the check digits are right. */
export function canonicalIban(text: string): CanonicalResult {
  const canonical = text.replaceAll(' ', '').toUpperCase();
  if (!/^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$/.test(canonical)) return notCanonical('this is no IBAN');
  const turned = `${canonical.slice(4)}${canonical.slice(0, 4)}`;
  let rest = 0;
  for (const character of turned) {
    for (const digit of Number.parseInt(character, 36).toString()) rest = (rest * 10 + Number(digit)) % 97;
  }
  return rest === 1 ? onlyCanonical(text, canonical) : notCanonical('the check digits of the IBAN are wrong');
}

/** E.164: a plus sign, the country, at most fifteen digits. */
export function canonicalPhone(text: string): CanonicalResult {
  const canonical = text.replaceAll(/[ ().-]/g, '');
  if (!/^\+[1-9][0-9]{6,14}$/.test(canonical)) return notCanonical('a telephone number starts with + and its country');
  return onlyCanonical(text, canonical);
}
