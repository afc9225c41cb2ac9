import { constants } from 'node:os';
import { CordonError, type TerminalSize } from '@cordon/protocol';

export interface AttachRequest {
  readonly session: string;
  readonly exec: string | null;
  readonly offset: number;
}

/** The first line on `stream.sock`. @throws CordonError `attach-malformed` */
export function parseAttachLine(line: string): AttachRequest {
  const value = parseObject(line);
  const { session, exec, offset } = value;
  if (typeof session !== 'string' || !(exec === null || typeof exec === 'string') || !isCount(offset))
    throw malformed('first line');
  return { session, exec, offset };
}

/** @throws CordonError `attach-malformed` */
export function parseSignal(payload: Uint8Array): NodeJS.Signals {
  const name = Buffer.from(payload).toString('latin1');
  if (!Object.hasOwn(constants.signals, name)) throw malformed('signal');
  return name as NodeJS.Signals;
}

/** @throws CordonError `attach-malformed` */
export function parseResize(payload: Uint8Array): TerminalSize {
  const { cols, rows } = parseObject(Buffer.from(payload).toString('utf8'));
  if (!isCount(cols) || !isCount(rows) || cols < 1 || rows < 1 || cols > 10_000 || rows > 10_000)
    throw malformed('resize');
  return { cols, rows };
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = null;
  }
  if (typeof value !== 'object' || value === null) throw malformed('JSON');
  return value as Record<string, unknown>;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function malformed(what: string): CordonError {
  return new CordonError('attach-malformed', `attach stream: malformed ${what}`);
}
