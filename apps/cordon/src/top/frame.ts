import { bytesText, durationText, type painter, visible } from '../text.ts';
import { type Figures, type SessionRow, type SortKey, sorted } from './figures.ts';

type Paint = ReturnType<typeof painter>;

export interface FrameOptions {
  readonly sort: SortKey;
  /** null: as long and as wide as it gets. */
  readonly size: { readonly cols: number; readonly rows: number } | null;
  readonly paint: Paint;
  /** What stands in the last line. */
  readonly note: string;
}

const head = 'SESSION AGENT STATE AGE PROC CPU% MEM ALLOW /S DENY /S IN /S OUT /S OPEN LAST_DENIAL'
  .split(' ')
  .map((title) => title.replace('_', ' '));
const leftColumns = new Set([0, 1, 2, 16]);
/** The end of an id is what commands take for it. */
const idChars = 8;

/** One look as lines; never longer than the terminal is high, nor wider. */
export function frame(figures: Figures, { sort, size, paint, note }: FrameOptions): string[] {
  const rows = sorted(figures.sessions, sort);
  const status = statusLines(figures);
  // Status, head, totals and the last line stand always; sessions take what is left.
  const room = size === null ? rows.length : Math.max(0, size.rows - status.length - 3 - (note === '' ? 0 : 1));
  const shown = rows.slice(0, room < rows.length ? Math.max(0, room - 1) : room);
  const cells = [...shown.map(rowCells), totalCells(figures)].map((row) => row.map(visible));
  const widths = head.map((title, i) => Math.max(title.length, ...cells.map((row) => row[i]?.length ?? 0)));
  const align = (row: readonly string[]): string =>
    row
      .map((cell, i) =>
        leftColumns.has(i)
          ? i === head.length - 1
            ? cell
            : cell.padEnd(widths[i] ?? 0)
          : cell.padStart(widths[i] ?? 0),
      )
      .join(' ')
      .trimEnd();
  const fit = (text: string): string => (size === null ? text : text.slice(0, size.cols));
  const lines = [
    ...status.map(({ text, alarm }) => (alarm ? paint('red', fit(text)) : fit(text))),
    '',
    paint('dim', fit(align(head))),
    ...cells.slice(0, -1).map((row, i) => {
      const denying = (shown[i]?.rates.deny ?? 0) > 0;
      return denying ? paint('yellow', fit(align(row))) : fit(align(row));
    }),
  ];
  if (shown.length < rows.length) lines.push(fit(`… ${rows.length - shown.length} more`));
  lines.push(paint('bold', fit(align(cells.at(-1) ?? []))));
  if (note !== '') lines.push(paint('dim', fit(visible(note))));
  return size === null ? lines : lines.slice(0, size.rows);
}

function statusLines({ at, gateways, ledger, totals, alarms }: Figures): Array<{ text: string; alarm: boolean }> {
  const silent = gateways.filter(({ live }) => live !== true);
  const sockets = gateways.reduce((sum, gateway) => sum + gateway.sockets, 0);
  const words =
    gateways.length === 0
      ? totals.sessions === 0
        ? 'none needed'
        : 'none connected: every request waits or is denied'
      : silent.length === 0
        ? `${gateways.length} live, ${sockets} sockets`
        : `${silent.length} of ${gateways.length} without a live lease: it denies`;
  const lines = [
    {
      text: `cordon top · ${at.slice(0, 19).replace('T', ' ')} UTC · gateways: ${words} · ledger: ${ledger.size} entries, ${ledger.lag} behind`,
      alarm: silent.length > 0 || (gateways.length === 0 && totals.sessions > 0),
    },
  ];
  for (const problem of ledger.problems) lines.push({ text: visible(`journal: ${problem}`), alarm: true });
  // Never more than a screen has room for; `cordon breaker list` has them all.
  for (const alarm of alarms.slice(-3)) lines.push({ text: visible(`fleet: ${alarm}`), alarm: true });
  return lines;
}

function rowCells(row: SessionRow): string[] {
  const { session, agent, state, ageMs, processes, memoryBytes, decisions, bytesIn, bytesOut, inFlight, rates } = row;
  const { lastDenial } = row;
  return [
    session.slice(-idChars),
    agent,
    state,
    durationText(ageMs),
    number(processes),
    percent(rates.cpuPercent),
    memoryBytes === null ? '-' : bytesText(memoryBytes),
    String(decisions.allow),
    perSecond(rates.allow),
    String(decisions.deny),
    perSecond(rates.deny),
    bytesText(bytesIn),
    bytesRate(rates.bytesIn),
    bytesText(bytesOut),
    bytesRate(rates.bytesOut),
    number(inFlight),
    lastDenial === null ? '' : `${lastDenial.at.slice(11, 19)} ${lastDenial.code} ${lastDenial.summary}`,
  ];
}

function totalCells({ totals }: Figures): string[] {
  const { sessions, processes, memoryBytes, decisions, bytesIn, bytesOut, inFlight, rates } = totals;
  return [
    `${sessions} ${sessions === 1 ? 'session' : 'sessions'}`,
    '',
    '',
    '',
    String(processes),
    percent(rates.cpuPercent),
    bytesText(memoryBytes),
    String(decisions.allow),
    perSecond(rates.allow),
    String(decisions.deny),
    perSecond(rates.deny),
    bytesText(bytesIn),
    bytesRate(rates.bytesIn),
    bytesText(bytesOut),
    bytesRate(rates.bytesOut),
    String(inFlight),
    '',
  ];
}

const number = (value: number | null): string => (value === null ? '-' : String(value));
const percent = (value: number | null): string => (value === null ? '-' : value.toFixed(1));
const perSecond = (value: number | null): string => (value === null ? '-' : value.toFixed(1));
const bytesRate = (value: number | null): string => (value === null ? '-' : bytesText(Math.round(value)));
