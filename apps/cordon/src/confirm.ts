import { StringDecoder } from 'node:string_decoder';
import type { Surroundings } from './surroundings.ts';

/**
 * Asks whoever sits at the terminal; anything but a whole `y` or `yes` is a no, the end of input too. A program that
 * calls us has no terminal, and has said what it wants: that is a yes.
 */
export async function confirmed({ stdin, stdout, stderr }: Surroundings, question: string): Promise<boolean> {
  if (stdin.isTTY !== true || stdout.isTTY !== true) return true;
  stderr.write(`${question} [y/N] `);
  const decoder = new StringDecoder('utf8');
  let line = '';
  for await (const chunk of stdin) {
    line += decoder.write(chunk as Buffer);
    if (line.includes('\n')) break;
  }
  if (!line.includes('\n')) stderr.write('\n');
  return /^\s*y(es)?\s*\n/i.test(line);
}
