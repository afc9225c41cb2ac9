import { hash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, isCordonError } from '@cordon/protocol';
import { nodeFiles } from '../journal/files.ts';
import { type Lock, openLock } from '../lock.ts';
import { type Checkpoint, openCheckpoint } from '../tree/checkpoint.ts';
import { readIfThere } from '../tree/files.ts';
import { checkConsistency, emptyRoot } from '../tree/merkle.ts';
import { parseVerifierKey, splitNote } from '../tree/note.ts';
import type { Cosigner } from './cosignature.ts';
import { parseAddCheckpoint } from './request.ts';

/** As HTTP gives it. */
export interface WitnessAnswer {
  readonly status: 200 | 400 | 403 | 404 | 409 | 422;
  readonly type: string;
  readonly body: string;
}

export interface WitnessOptions {
  /** Where the newest head of each log is kept. */
  readonly directory: string;
  readonly cosigner: Cosigner;
  /** Verifier keys of the logs that it witnesses. */
  readonly logs: readonly string[];
  readonly clock: Pick<Clock, 'now'>;
}

/**
 * A witness of logs (C2SP tlog-witness): it remembers one head per log and cosigns only what contains it. Believes
 * nobody, and needs to see nothing but heads.
 */
export class Witness implements Disposable {
  readonly #options: WitnessOptions;
  readonly #lock: Lock;

  /** @throws CordonError `ledger-locked`: two with one key could cosign two histories */
  constructor(options: WitnessOptions) {
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
    this.#options = options;
    this.#lock = openLock(join(options.directory, 'lock'));
  }

  [Symbol.dispose](): void {
    this.#lock.release();
  }

  /** The newest head that was cosigned, as a note; null when none was. */
  latest(origin: string): string | null {
    return readIfThere(this.#pathOf(origin))?.toString() ?? null;
  }

  /** Synchronous from the look at the old head to the new one on disk, so that no two requests can pass each other. */
  addCheckpoint(body: string): WitnessAnswer {
    const request = parseAddCheckpoint(body);
    const origin = request?.checkpoint.split('\n', 1)[0] ?? '';
    if (request === null) return answer(400, 'not an add-checkpoint request\n');
    const log = this.#options.logs.find((key) => key.startsWith(`${origin}+`));
    if (log === undefined) return answer(404, 'this log is not witnessed here\n');
    const checkpoint = openSigned(request.checkpoint, log);
    if (checkpoint === null) return answer(403, 'no signature of a key that is trusted for this log\n');
    if (request.oldSize > checkpoint.size) return answer(400, 'the old size is above the new one\n');
    const known = this.#known(origin, log);
    if (request.oldSize !== known.size) return conflict(known.size);
    if (known.size === checkpoint.size && !known.root.equals(checkpoint.root)) return conflict(known.size);
    if (!checkConsistency(known, checkpoint, request.proof))
      return answer(422, 'the new head does not contain the old\n');
    const { text } = splitNote(request.checkpoint);
    const line = this.#options.cosigner.cosign(text, Math.floor(this.#options.clock.now() / 1000));
    nodeFiles.replace(this.#pathOf(origin), request.checkpoint);
    return { status: 200, type: 'text/plain; charset=utf-8', body: line };
  }

  #known(origin: string, log: string): Checkpoint {
    const note = this.latest(origin);
    return note === null ? { origin, size: 0, root: emptyRoot } : openCheckpoint(note, parseVerifierKey(log), 'older');
  }

  #pathOf(origin: string): string {
    // An origin is any text; its hash is a file name.
    return join(this.#options.directory, `${hash('sha256', origin)}.checkpoint`);
  }
}

function openSigned(note: string, log: string): Checkpoint | null {
  try {
    return openCheckpoint(note, parseVerifierKey(log));
  } catch (error) {
    if (isCordonError(error) && (error.code === 'ledger-note' || error.code === 'ledger-downgrade')) return null;
    throw error;
  }
}

function conflict(size: number): WitnessAnswer {
  return { status: 409, type: 'text/x.tlog.size', body: `${size}\n` };
}

function answer(status: WitnessAnswer['status'], body: string): WitnessAnswer {
  return { status, type: 'text/plain; charset=utf-8', body };
}
