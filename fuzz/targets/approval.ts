import { parseApproval } from '../../packages/policy/src/approval/record.ts';
import { canonicalize } from '../../packages/protocol/src/canonical.ts';
import { createSigningKey, openEnvelope, openSigningKey, signEnvelope } from '../../packages/protocol/src/dsse.ts';
import { approvalType } from '../../packages/protocol/src/hold.ts';
import { must, type Target, text } from '../engine/target.ts';

const key = createSigningKey();
const digest = (digit: string): string => `sha256:${digit.repeat(64)}`;
const record = {
  expires: '2026-03-04T05:21:07.089Z',
  hold: `hld_0${'a'.repeat(25)}`,
  intent: digest('1'),
  nonce: '2'.repeat(32),
  person: { iss: 'local:0123456789abcdef', sub: 'ada' },
  policy: { digest: digest('3'), engine: digest('4'), generation: 7, revision: 3 },
  uses: 1,
  v: 'approval/1',
  verdict: 'approve',
  via: 'operator-key',
  view: digest('5'),
};
const signed = canonicalize(record);
const envelope = signEnvelope(approvalType, signed, [openSigningKey(key.privatePem)]);

export const target: Target = {
  name: 'approval',
  about: 'what is said to be a person’s signed answer',
  oracle:
    'a record that is read is the canonical spelling of itself; an envelope opens to the bytes that were signed and to nothing else',
  lengthMax: 2048,
  shortRuns: 10_000,
  dictionary: [
    '"verdict":"deny"',
    '"via":"webauthn"',
    '"uses":20',
    '"uses":1.0',
    '\\u0061',
    '"keyid":',
    '"sig":',
    '==',
  ],
  seeds: () => [signed, JSON.stringify(envelope), JSON.stringify({ ...envelope, signatures: [] })].map(text),
  run(input, feedback) {
    const answer = parseApproval(input);
    if (answer !== null) {
      const bytes = Buffer.from(canonicalize(answer as unknown as Parameters<typeof canonicalize>[0]));
      must(bytes.equals(Buffer.from(input)), 'another spelling of the same answer', bytes);
      must(answer.uses >= 1 && answer.uses <= 20, 'any number of uses', answer);
      feedback.note(`record ${answer.verdict}`);
    }
    let value: unknown;
    try {
      value = JSON.parse(Buffer.from(input).toString('utf8'));
    } catch {
      return;
    }
    const opened = openEnvelope(value, approvalType, [key.pinned]);
    feedback.note(opened.ok ? 'opened' : opened.code);
    if (opened.ok) must(opened.payload.toString('utf8') === signed, 'signed was something else', opened.payload);
  },
};
