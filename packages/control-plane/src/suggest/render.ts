import type { SuggestApart, SuggestedGrant, Suggestion } from '@cordon/protocol';

type Content = Omit<Suggestion, 'yaml' | 'allow'> & {
  /** The session ran under grants of its own, beside its profile's. */
  readonly ownGrants: boolean;
};

const shownSessions = 4;

/**
 * A whole `cordon.yaml`. Names and paths are the agent's: a value is a double-quoted scalar of printable ASCII (JSON
 * is YAML), and a comment never holds a line end, so nothing that was requested can become a key, a line or a colour.
 */
export function renderYaml(content: Content): string {
  const lines = [...head(content), 'version: 1'];
  if (content.grants.length === 0) lines.push('grants: []');
  else lines.push('grants:', ...content.grants.flatMap(grantLines));
  if (content.apart.length > 0) {
    lines.push('', '# No grant suggested here changes these:', ...content.apart.map(apartLine));
  }
  return `${lines.join('\n')}\n`;
}

function head({ sessions, denied, grants, verified, truncated, ownGrants }: Content): string[] {
  const { attempts, requests, permittedNow } = denied;
  const shown = sessions.slice(0, shownSessions).join(', ');
  const more = sessions.length > shownSessions ? ` and ${sessions.length - shownSessions} more` : '';
  const lines = [
    `Denied in ${shown || 'no session'}${more}: ${times(attempts)}, ${requests} different ${requests === 1 ? 'request' : 'requests'}.`,
  ];
  if (permittedNow > 0) lines.push(`The policy of now permits ${permittedNow} of these already.`);
  if (grants.length > 0) {
    const others =
      verified.others === 0
        ? 'and nothing else that was denied'
        : `and ${verified.others} more that no grant here is for: look at the stars`;
    lines.push(
      `With these grants ${verified.allowed} of the ${attempts} would be allowed, ${others}.`,
      'Checked by deciding every recorded request again. Nothing here is in force: read it, then',
      'cordon run --policy FILE -- COMMAND',
    );
  }
  if (truncated) lines.push('More was denied than is looked at here: the newest and the most frequent are shown.');
  if (ownGrants)
    lines.push('The session had grants beside its profile (a cordon.yaml, --allow): these come beside those.');
  return lines.map((line) => `# ${plain(line)}`);
}

function grantLines(grant: SuggestedGrant): string[] {
  const { allow, methods, limits, addresses, encodedSlash, clearance, effect, warnings, also } = grant;
  const comments = [`${effect} · ${seenWords(grant)}`, ...warnings.map((warning) => `! ${warning}`)];
  if (also !== null) comments.push(`! allows also: ${also}`);
  const members = [`- allow: ${JSON.stringify(allow)}`];
  if (methods !== null) members.push(`  methods: ${list(methods)}`);
  if (clearance !== null) members.push(`  clearance: ${clearance}`);
  if (limits !== null) members.push(`  limits: { bytes: ${JSON.stringify(limits.bytes)} }`);
  if (addresses !== null) members.push(`  addresses: ${list(addresses)}`);
  if (encodedSlash) members.push('  encodedSlash: true');
  return [...comments.map((comment) => `  # ${plain(comment)}`), ...members.map((member) => `  ${member}`)];
}

function apartLine(apart: SuggestApart): string {
  return `#   ${plain(`${apart.summary} · ${apart.code} · ${apart.who}: ${apart.why} · ${seenWords(apart)}`)}`;
}

function seenWords({ count, first, last, attempt }: SuggestApart | SuggestedGrant): string {
  const when = count === 1 ? last : `${first} to ${last}`;
  return [times(count), when, ...(attempt === null ? [] : [`cordon policy explain ${attempt}`])].join(' · ');
}

const times = (count: number): string => `${count} ${count === 1 ? 'time' : 'times'}`;
const list = (words: readonly string[]): string => `[${words.map((word) => JSON.stringify(word)).join(', ')}]`;

/** One line of printable ASCII, and the separator that is ours. */
function plain(text: string): string {
  return text.replaceAll(/[^ -~·]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}
