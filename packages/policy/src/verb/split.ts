/** One policy of a file, and where it starts (UTF-16 code units), behind white space and comments. */
export interface PolicyPiece {
  readonly text: string;
  readonly start: number;
}

/**
 * Cuts a Cedar file behind the semicolon of each policy. Semicolons in strings and comments are none; the engine
 * has parsed the whole before, and the caller compares the count.
 */
export function splitPolicies(text: string): PolicyPiece[] {
  const pieces: PolicyPiece[] = [];
  const token = /\/\/[^\n]*|"(?:[^"\\]|\\.)*"|;|[^\s"/;]+|[\s/]/gsu;
  let start: number | null = null;
  for (const match of text.matchAll(token)) {
    const [found] = match;
    if (found === ';' && start !== null) {
      pieces.push({ text: text.slice(start, match.index + 1), start });
      start = null;
    } else if (start === null && !/^\s|^\/\//.test(found)) {
      start = match.index;
    }
  }
  return pieces;
}
