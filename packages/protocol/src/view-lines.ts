import { raiseAction } from './budget.ts';
import type { View } from './hold.ts';
import { type Difference, differences, type Earlier } from './view-difference.ts';

/** What is ours to say, and what the agent wrote: the second is always behind a bar, so it cannot pass for the first. */
const bar = '  | ';

/**
 * A view as a person reads it: everything, nothing shortened, in characters that do what they look like. Whoever
 * approves reads this very rendering, made on their own side from the record whose digest they sign.
 */
export function viewLines(view: View, earlier: Earlier | null = null): string[] {
  const { intent, flow } = view;
  if ((intent.action as string) === raiseAction) return raiseLines(view);
  return [
    `${intent.action} by agent ${plain(view.agent)} (profile ${plain(view.profile)}), for ${plain(view.person)}`,
    `session ${plain(intent.session)}, started ${plain(view.sessionStartedAt)}`,
    `effect: ${plain(view.effect)}, ${view.undoable ? 'can be undone' : 'cannot be undone'}`,
    `to: ${marked(intent.resource)}`,
    ...argumentLines(view),
    ...payloadLines(view),
    ...(earlier === null ? [] : ['', ...earlierLines(view, earlier)]),
    '',
    `why it waits: ${plain(view.code)}; ${askedFor(view)}`,
    ...view.rules.flatMap(({ id, text }) => [
      `  ${plain(id)}`,
      ...text.split('\n').map((line) => `    ${marked(line)}`),
    ]),
    `labels: context ${trust(flow.ctxInteg)} and ${secrecy(flow.ctxConf)}, arguments ${trust(flow.argInteg)} and ${secrecy(flow.argConf)}, destination ${trust(flow.destInteg)} and cleared for ${secrecy(flow.clearance)}`,
    ...(view.unnamed.length === 0
      ? []
      : ['waits only because nobody has named:', ...view.unnamed.map((name) => `${bar}${marked(name)}`)]),
    `asked ${plain(view.heldAt)}, open until ${plain(view.expires)}`,
  ];
}

/** A question about a purse is ours from end to end: nothing in it is the agent's. */
function raiseLines(view: View): string[] {
  const { intent, agent, person, expires, heldAt } = view;
  const { unit, window, max, by } = intent.args;
  return [
    `to spend more than a budget has: agent ${plain(agent)}, for ${plain(person)}, session ${plain(intent.session)}`,
    `budget: ${marked(intent.resource)}, ${plain(String(unit))}`,
    `it has ${plain(String(max))}${window === 'ever' ? '' : ` for ${plain(String(window))}`}, and they are used up`,
    `a yes gives ${plain(String(by))} more${window === 'ever' ? '' : ', until that time is over'}, to everybody who spends from it; once`,
    '',
    `why it waits: the budget says that people are asked; ${askedFor(view)}`,
    `asked ${plain(heldAt)}, open until ${plain(expires)}`,
  ];
}

function argumentLines({ intent }: View): string[] {
  const { method, path, search, query, headers, ...others } = intent.args;
  const known = typeof method === 'string' && typeof path === 'string';
  if (!known) return ['arguments, as the agent gave them:', ...quoted(JSON.stringify(intent.args, null, 1))];
  const target = typeof search === 'string' ? `${path}?${search}` : path;
  const rest = Object.keys(others).length === 0 ? [] : quoted(JSON.stringify(others, null, 1));
  return [
    'request, as the agent wrote it:',
    ...quoted(`${method} ${target}`),
    ...pairsOf(headers).flatMap(([name, value]) => quoted(`${name}: ${value}`)),
    ...(pairsOf(query).length > 1
      ? ['query, pair by pair:', ...pairsOf(query).flatMap(([n, v]) => quoted(`${n} = ${v}`))]
      : []),
    ...rest,
  ];
}

function pairsOf(value: unknown): ReadonlyArray<readonly [string, string]> {
  return Array.isArray(value) ? (value as ReadonlyArray<readonly [string, string]>) : [];
}

function payloadLines({ payload, intent }: View): string[] {
  const { bytes, kind, sha256 } = intent.payload;
  if (payload === null) return ['no body'];
  const shown = payload.encoding === 'utf8' ? quoted(payload.data) : quoted(hexDump(payload.data));
  const what = payload.encoding === 'utf8' ? plain(kind) : 'bytes that are no text, in hexadecimal digits';
  return [`body, ${bytes} bytes, ${what}, sha256 ${plain(sha256)}:`, ...shown];
}

function earlierLines(view: View, earlier: Earlier): string[] {
  switch (earlier.kind) {
    case 'first':
      return ['first of its kind: nothing by this agent to this method, path and place is remembered as approved'];
    case 'unreadable':
      return [`one of its kind was approved before (${plain(earlier.hold)}), and cannot be read any more`];
    case 'unsigned':
      return [`one of its kind was approved before (${plain(earlier.hold)}), by nobody who is known here now`];
    case 'checked': {
      const { view: before, by } = earlier;
      const head = `the last one approved of its kind: ${plain(before.hold)}, asked ${plain(before.heldAt)}, by ${plain(by.join(', '))}`;
      const found = differences(before, view);
      if (found.length === 0) return [head, 'no difference: the same target, headers and body'];
      return [
        head,
        'what differs from it (- as it was, + as it is now), as the agent wrote it:',
        ...found.flatMap(differenceLines),
      ];
    }
  }
}

function differenceLines({ at, before, after }: Difference): string[] {
  const side = (sign: string, text: string | null): string[] =>
    text === null ? [] : text.split('\n').flatMap((line) => quoted(`${sign} ${line}`));
  // One line whatever stands in it: a name with a line break in it would write differences of its own.
  return [`${bar}${marked(at)}`, ...side('-', before), ...side('+', after)];
}

function quoted(text: string): string[] {
  return text.split('\n').map((line) => `${bar}${marked(line)}`);
}

/** 32 bytes a line. */
function hexDump(base64: string): string {
  const digits = Array.from(atob(base64), (character) => character.charCodeAt(0).toString(16).padStart(2, '0'));
  const lines: string[] = [];
  for (let at = 0; at < digits.length; at += 32) lines.push(digits.slice(at, at + 32).join(' '));
  return lines.join('\n');
}

/**
 * Text of strangers. Controls, characters that change direction or take no room, and every space but the plain one
 * become `\u{…}`; so do letters of another script in a word that also has Latin ones, because those are there to be
 * taken for them. A backslash is doubled, so that nothing in the text looks like such a mark.
 */
export function marked(text: string): string {
  const shown = text.replace(/\\/g, '\\\\').replace(hidden, spelt).replace(foreign, unlessItself);
  return shown.replace(word, (letters) => (hasLatin.test(letters) ? letters.replace(notLatin, spelt) : letters));
}

const hidden = /[\p{C}\p{Zl}\p{Zp}\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\u115f\u1160\u3164\uffa0]/gu;
const word = /[\p{L}\p{M}\p{N}_.@-]+/gu;
const hasLatin = /[A-Za-z]/;
/** Letters, digits and marks that only look like ours. */
const notLatin = /[^\x20-\x7e\u00c0-\u0130\u0132-\u0137\u0139-\u017e]/gu;
const foreign = /[^\x20-\x7e]/gu;

/** What another letter stands for in another width or font (NFKC) is shown for what it is. */
function unlessItself(character: string): string {
  return /[\x20-\x7e]/.test(character.normalize('NFKC')) ? spelt(character) : character;
}

function spelt(text: string): string {
  return Array.from(text, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`).join('');
}

/** Our own words, and names that we have checked: printable ASCII whatever happened. */
function plain(text: string): string {
  return text.replace(/[^\x20-\x7e]/gu, spelt);
}

function askedFor({ rung: { quorum, strong }, groups = [] }: View): string {
  const who = quorum === 1 ? 'one person' : `${quorum} different people`;
  const of = groups.length === 0 ? '' : ` of ${plain(groups.join(' or '))}`;
  return `${who}${of} must agree${strong ? ', by a key that no program can use alone' : ''}`;
}

function trust(level: number): string {
  return ['untrusted', 'derived', 'vouched for', 'named by a person', 'of the operator'][level] ?? 'untrusted';
}

function secrecy(level: number): string {
  return ['public', 'internal', 'private', 'secret'][level] ?? 'secret';
}

const pageChars = 64 * 1024;

/** Pages of at most 64 KiB; a single longer line is a page of its own. */
export function viewPages(view: View, earlier: Earlier | null = null): string[] {
  const pages: string[] = [];
  let page = '';
  for (const line of viewLines(view, earlier)) {
    if (page !== '' && page.length + line.length > pageChars) {
      pages.push(page);
      page = '';
    }
    page += `${line}\n`;
  }
  return [...pages, page];
}
