import { expect, it } from 'vitest';
import { jsonLine } from '../src/json.ts';

it('JSON for machines holds nothing that a terminal acts on, and says the same', () => {
  const path = 'a\u001b]52;c;QQ==\u0007\u009d0;t\u009c\u009b6n\u007f\u202etxt.exe\u2066\u200b\ufeff ä€😀\n';
  const line = jsonLine({ path });
  expect(JSON.parse(line)).toEqual({ path });
  expect(line.slice(0, -1)).toMatch(/^[ -~\u00a0-\u200a\u2010-\u2027\u2030-\u205f\u2070-\ufefe\uff00-\uffff]*$/);
  expect(line).toContain('ä€😀');
});
