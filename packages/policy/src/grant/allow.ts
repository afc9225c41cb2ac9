import { type Refusal, refuse } from '../error.ts';
import type { Grant } from './grant.ts';
import { parseTarget } from './target.ts';
import { parseTerms } from './terms.ts';

export type AllowResult = { readonly ok: true; readonly grant: Grant } | Refusal<'allow-invalid'>;

/**
 * `--allow [http://]HOST[:PORT][/PATH][:METHODS]`. METHODS is a comma list of letters, so it is no port; without it
 * GET and HEAD. With one the host may receive private data: whoever types POST means to send something.
 */
export function parseAllow(text: string): AllowResult {
  const match = /^(.*?)(?::([A-Za-z][A-Za-z,-]*))?$/s.exec(text);
  const target = match?.[1] ?? text;
  const methods = match?.[2]?.split(',');
  const sends = methods?.some((method) => method !== 'GET' && method !== 'HEAD') ?? false;
  const grant: Grant = {
    allow: target,
    ...(methods === undefined ? {} : { methods }),
    ...(sends ? { clearance: 'private' as const } : {}),
  };
  const checked = parseTarget(target, 'allow');
  const wrong = checked.ok ? parseTerms(grant) : checked;
  if (wrong.ok) return { ok: true, grant };
  const field = wrong.field === 'allow' ? 'HOST[:PORT][/PATH]' : wrong.field.toUpperCase();
  return refuse('allow-invalid', `--allow ${text}: ${field}: ${wrong.message}`, wrong.mend);
}
