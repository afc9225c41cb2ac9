import type { Brand } from './brand.ts';
import type { Clock, Random } from './clock.ts';

/**
 * Ids are a kind, an underscore and a UUIDv7 (RFC 9562 §5.7) in 26 lower-case Crockford characters:
 * they sort by time, survive a double click, and never need escaping in a path or a shell.
 */
const kinds = {
  session: 'ses',
  attempt: 'att',
  exec: 'exe',
  stop: 'stp',
  boot: 'bot',
  secret: 'sec',
  hold: 'hld',
  endorsement: 'end',
} as const;
export type IdKind = keyof typeof kinds;

export type SessionId = Brand<string, 'SessionId'>;
export type AttemptId = Brand<string, 'AttemptId'>;
export type ExecId = Brand<string, 'ExecId'>;
export type StopId = Brand<string, 'StopId'>;
export type BootId = Brand<string, 'BootId'>;
export type SecretId = Brand<string, 'SecretId'>;
export type HoldId = Brand<string, 'HoldId'>;
export type EndorsementId = Brand<string, 'EndorsementId'>;

interface IdOf {
  session: SessionId;
  attempt: AttemptId;
  exec: ExecId;
  stop: StopId;
  boot: BootId;
  secret: SecretId;
  hold: HoldId;
  endorsement: EndorsementId;
}

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
const idPattern = /^[a-z]{3}_[0-7][0-9a-hjkmnp-tv-z]{25}$/;

export function createId<K extends IdKind>(kind: K, clock: Pick<Clock, 'now'>, random: Random): IdOf[K] {
  const bytes = random.bytes(16);
  let time = clock.now();
  for (let i = 5; i >= 0; i--) {
    bytes[i] = time % 256;
    time = Math.floor(time / 256);
  }
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return `${kinds[kind]}_${crockford(bytes)}` as IdOf[K];
}

export function isId<K extends IdKind>(kind: K, text: string): text is IdOf[K] {
  return text.startsWith(`${kinds[kind]}_`) && idPattern.test(text);
}

/** 128 bits as 26 characters, most significant first; the first carries three bits. */
function crockford(bytes: Uint8Array): string {
  let text = '';
  for (let bit = -2; bit < 128; bit += 5) {
    const at = bit >> 3;
    const pair = ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
    text += alphabet[(pair >> (11 - (bit & 7))) & 31];
  }
  return text;
}
