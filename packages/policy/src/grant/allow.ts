import { type Refusal, refuse } from '../error.ts';
import type { Grant } from './grant.ts';
import { parseTarget } from './target.ts';
import { checkKind, parseTerms } from './terms.ts';

export type AllowResult = { readonly ok: true; readonly grant: Grant } | Refusal<'allow-invalid'>;

/**
 * `--allow [SCHEME://]HOST[:PORT][/PATH][:METHODS]`. METHODS is a comma list of letters, so it is no port; without it
 * GET and HEAD. With one the host may receive private data: whoever types POST means to send something, and so does
 * whoever grants a WebSocket (`ws`, `wss`) or a tunnel (`tcp`, `tls`), which go both ways.
 */
export function parseAllow(text: string): AllowResult {
  const match = /^(.*?)(?::([A-Za-z][A-Za-z,-]*))?$/s.exec(text);
  const target = match?.[1] ?? text;
  const methods = match?.[2]?.split(',');
  const bothWays = /^(wss?|tcp|tls):/.test(target);
  const sends = bothWays || (methods?.some((method) => method !== 'GET' && method !== 'HEAD') ?? false);
  const grant: Grant = {
    allow: target,
    ...(methods === undefined ? {} : { methods }),
    ...(sends ? { clearance: 'private' as const } : {}),
  };
  const checked = parseTarget(target, 'allow');
  const wrong = checked.ok ? (checkKind(grant, checked) ?? parseTerms(grant)) : checked;
  if (wrong.ok) return { ok: true, grant };
  const field = wrong.field === 'allow' ? 'HOST[:PORT][/PATH]' : wrong.field.toUpperCase();
  return refuse('allow-invalid', `--allow ${text}: ${field}: ${wrong.message}`, wrong.mend);
}
