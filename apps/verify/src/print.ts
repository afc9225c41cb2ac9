import type { Failure, PartReport, VerifyReport } from '@cordon/ledger';

/** One line per part, then one per failure and note. */
export function toText(name: string, report: VerifyReport): string {
  const lines = report.parts.flatMap((part) => [
    `${name}  ${part.part.padEnd(9)}  ${verdictOf(part)}  ${countsOf(part)}`,
    ...part.failures.map(failureLine),
    ...unlisted(part),
    ...part.notes.map((note) => `    note: ${note}`),
  ]);
  return `${lines.join('\n')}\n`;
}

/** `part` is never as good as `ok`: nothing wrong was found, but not everything could be looked at. */
function verdictOf({ ok, open }: PartReport): string {
  if (!ok) return 'BAD ';
  return open ? 'part' : 'ok  ';
}

function countsOf(part: PartReport): string {
  return Object.entries(part.counts)
    .filter(([what, count]) => count > 0 || what === 'failures')
    .map(([what, count]) => `${count} ${what}`)
    .join(', ');
}

function failureLine(failure: Failure): string {
  const wseq = failure.wseq === undefined ? '' : ` (wseq ${failure.wseq})`;
  return `    ${failure.code} at ${printable(failure.where)}${wseq}: ${printable(failure.detail)}`;
}

function unlisted(part: PartReport): string[] {
  const more = (part.counts['failures'] ?? 0) - part.failures.length;
  return more > 0 ? [`    and ${more} more`] : [];
}

/** Damaged files may hold anything; a terminal gets no control character of theirs. */
export function printable(text: string): string {
  return text.replace(/[^\x20-\x7e\u00a0-\uffff]/g, '?');
}
