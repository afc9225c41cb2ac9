import type { SecretBinding } from '@cordon/protocol';
import { bindingAllows, describeBinding, type HeaderPairs, type RequestPlace } from './binding.ts';
import { limits } from './limits.ts';
import { findPlaceholders, parseBasic, placeholderOf } from './placeholder.ts';

/** One value that has to be put in: which header of the plan holds its placeholder, and in which form. */
export interface SecretUse {
  readonly name: string;
  readonly header: number;
  readonly form: 'plain' | 'basic';
}

export interface SecretPlan {
  readonly refused: false;
  readonly uses: readonly SecretUse[];
  /** What goes into the intent and is forwarded: placeholders as they are. */
  readonly headers: HeaderPairs;
}

export interface SecretRefusal {
  readonly refused: true;
  readonly code: 'secret-misplaced' | 'credential-unavailable';
  readonly secret: string | null;
  readonly detail: string;
  readonly nextSteps: readonly string[];
}

/**
 * Where a value is injected, the agent's own credentials must not ride along: they would let it act as somebody whom
 * the policy does not know. `range` goes too, because half of a reflected secret cannot be found (design, §2.3).
 */
const droppedBesideSecrets: ReadonlySet<string> = new Set([
  'authorization',
  'cookie',
  'range',
  'if-range',
  'api-key',
  'apikey',
  'private-token',
  'job-token',
  'deploy-token',
  'x-access-token',
  'x-amz-security-token',
  'x-api-key',
  'x-api-token',
  'x-auth-token',
  'x-csrf-token',
  'x-functions-key',
  'x-github-token',
  'x-gitlab-token',
  'x-goog-api-key',
  'x-vault-token',
]);

/** Finds every placeholder of a request and checks it against the session's bindings. Pure. */
export function planSecrets(request: RequestPlace, bindings: readonly SecretBinding[]): SecretPlan | SecretRefusal {
  for (const [name, value] of request.query) {
    const found = findPlaceholders(`${name}=${value}`)[0];
    if (found !== undefined) return misplaced(found, 'in the query', request, bindings);
  }
  const uses: SecretUse[] = [];
  for (const [index, [name, value]] of request.headers.entries()) {
    const use = readHeader(index, name, value, request, bindings);
    if (use === null) continue;
    if ('refused' in use) return use;
    uses.push(use);
  }
  const headers: Array<readonly [string, string]> = [...request.headers];
  for (const binding of bindings) {
    if (!binding.require || !bindingAllows(binding, request)) continue;
    if (uses.some((use) => use.name === binding.name)) continue;
    uses.push(addRequired(binding, headers));
  }
  if (uses.length > limits.usesPerRequestMax) {
    return refusal('secret-misplaced', null, 'the request uses too many secrets', []);
  }
  return uses.length === 0 ? { refused: false, uses, headers } : withoutOwn(uses, headers);
}

function readHeader(
  index: number,
  header: string,
  value: string,
  request: RequestPlace,
  bindings: readonly SecretBinding[],
): SecretUse | SecretRefusal | null {
  const basic = parseBasic(value);
  if (findPlaceholders(header).length > 0) {
    return refusal('secret-misplaced', null, 'a placeholder stands in the name of a header', []);
  }
  // The whole text: a placeholder in the place of the user is cut at its own first colon.
  const names = basic === null ? findPlaceholders(value) : findPlaceholders(`${basic.user}:${basic.password}`);
  const name = names[0];
  if (name === undefined) return null;
  if (names.length > 1) {
    return refusal('secret-misplaced', name, 'two placeholders stand in one value', [
      'send each in a header of its own',
    ]);
  }
  const allowed = bindings.some(
    (binding) =>
      binding.name === name &&
      bindingAllows(binding, request) &&
      (basic === null ? isPlainPlace(binding, header, value) : isBasicPlace(binding, header, basic.password)),
  );
  if (!allowed) return misplaced(name, `in header ${header.toLowerCase()}`, request, bindings);
  return { name, header: index, form: basic === null ? 'plain' : 'basic' };
}

function isPlainPlace(binding: SecretBinding, header: string, value: string): boolean {
  if ('basic' in binding.at) return false;
  return (
    header.toLowerCase() === binding.at.header.toLowerCase() &&
    value === binding.at.form.replace('{}', () => placeholderOf(binding.name))
  );
}

function isBasicPlace(binding: SecretBinding, header: string, password: string): boolean {
  return 'basic' in binding.at && header.toLowerCase() === 'authorization' && password === placeholderOf(binding.name);
}

/** `require: true`: the value goes in even where the agent sent nothing; what it sent in that header is replaced. */
function addRequired(binding: SecretBinding, headers: Array<readonly [string, string]>): SecretUse {
  const placeholder = placeholderOf(binding.name);
  if ('basic' in binding.at) {
    headers.push(['Authorization', `Basic ${Buffer.from(`cordon:${placeholder}`).toString('base64')}`]);
    return { name: binding.name, header: headers.length - 1, form: 'basic' };
  }
  headers.push([binding.at.header, binding.at.form.replace('{}', () => placeholder)]);
  return { name: binding.name, header: headers.length - 1, form: 'plain' };
}

/** Drops the agent's own credentials, and whatever else stands in a header that a secret goes into. */
function withoutOwn(uses: readonly SecretUse[], headers: HeaderPairs): SecretPlan {
  const used = new Map(uses.map((use) => [use.header, use]));
  const taken = new Set(uses.map((use) => dashed(headers[use.header]?.[0] ?? '')));
  const kept: Array<readonly [string, string]> = [];
  const moved: SecretUse[] = [];
  for (const [index, pair] of headers.entries()) {
    const use = used.get(index);
    const name = dashed(pair[0]);
    if (use !== undefined) moved.push({ ...use, header: kept.length });
    else if (droppedBesideSecrets.has(name) || taken.has(name)) continue;
    kept.push(pair);
  }
  return { refused: false, uses: moved, headers: kept };
}

/** CGI and WSGI read `PRIVATE_TOKEN` and `Private-Token` as one variable. */
function dashed(name: string): string {
  return name.toLowerCase().replaceAll('_', '-');
}

function misplaced(
  name: string,
  place: string,
  request: RequestPlace,
  bindings: readonly SecretBinding[],
): SecretRefusal {
  const bound = bindings.filter((binding) => binding.name === name);
  const where = request.origin.startsWith('https://') ? place : `${place}, over plain http`;
  if (bound.length === 0) {
    return refusal('secret-misplaced', name, `no secret ${name} is bound in this session (it stood ${where})`, [
      `bind it in cordon.yaml below "secrets:", and set it with: cordon secrets set ${name}`,
    ]);
  }
  return refusal(
    'secret-misplaced',
    name,
    `the secret ${name} may not be used here (${where}, ${request.method} ${request.origin})`,
    bound.map(describeBinding),
  );
}

function refusal(
  code: SecretRefusal['code'],
  secret: string | null,
  detail: string,
  nextSteps: readonly string[],
): SecretRefusal {
  return { refused: true, code, secret, detail, nextSteps };
}
