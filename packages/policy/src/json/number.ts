import type { JsonErrorCode } from './error.ts';

const grammar = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;

export type NumberReading =
  | { readonly ok: true; readonly value: number }
  | { readonly ok: false; readonly code: JsonErrorCode };

/**
 * A number that every reader takes for the same value. Refused as `json-number`: `-0`, integers beyond ±(2^53−1)
 * and decimals that a double cannot hold, since a judge with doubles and a performer with decimals would differ.
 */
export function readNumber(text: string): NumberReading {
  if (!grammar.test(text)) return { ok: false, code: 'json-syntax' };
  const value = Number(text);
  const exact =
    Number.isFinite(value) &&
    !Object.is(value, -0) &&
    (!Number.isInteger(value) || Number.isSafeInteger(value)) &&
    decimalOf(text) === decimalOf(String(value));
  return exact ? { ok: true, value } : { ok: false, code: 'json-number' };
}

/** Digits without surrounding zeros, and the power of ten of the last one: equal texts mean equal values. */
function decimalOf(text: string): string {
  const [mantissa = '', exponent = '0'] = text.toLowerCase().replace(/^-/, '').split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  const trimmed = digits.replace(/0+$/, '');
  if (trimmed === '') return '0';
  const power = Number(exponent) - fraction.length + (digits.length - trimmed.length);
  return `${text.startsWith('-') ? '-' : ''}${trimmed}e${power}`;
}
