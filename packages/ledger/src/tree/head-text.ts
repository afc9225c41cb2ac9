import { hashBytes } from './tile.ts';

/** C2SP tlog-checkpoint, the text of a note: origin, size, root in base64, each on a line of its own, then extensions. */
export interface HeadText {
  readonly origin: string;
  readonly size: number;
  readonly root: Buffer;
  /** Lines after the three. */
  readonly extensions: number;
}

/** Null for what is no such text. */
export function parseHead(text: string): HeadText | null {
  const [origin = '', sizeText = '', rootText = '', ...rest] = text.split('\n');
  const size = /^(0|[1-9][0-9]{0,15})$/.test(sizeText) ? Number(sizeText) : Number.NaN;
  const root = Buffer.from(rootText, 'base64');
  const sound = Number.isSafeInteger(size) && root.length === hashBytes && root.toString('base64') === rootText;
  // The last newline ends the last line.
  return sound && rest.length > 0 ? { origin, size, root, extensions: rest.length - 1 } : null;
}
