import { writeSync } from 'node:fs';

/**
 * Words for the log file that is our stderr. Never fails: a log on a full disk must not end the process, and a stream
 * that met one error would stay silent when there is space again.
 */
export function writeLog(text: string): void {
  try {
    writeSync(2, text);
  } catch {
    // The record is the ledger's; a log that cannot be written is lost.
  }
}

/** Diagnostics of roles without a control plane: one JSON object a line. */
export function logLine(at: string, event: { readonly [key: string]: string | number | boolean | null }): void {
  writeLog(`${JSON.stringify({ at, ...event })}\n`);
}
