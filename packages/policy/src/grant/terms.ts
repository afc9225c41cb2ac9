import { audiencePattern, type CriticalType, groupName, type Yields } from '@cordon/protocol';
import { addressOf } from '../canonical/address.ts';
import { criticalTypes } from '../critical/type.ts';
import { canonicalValue } from '../critical/value.ts';
import { parseDuration } from '../gate/annotation.ts';
import { parseJson } from '../json/parse.ts';
import type { Json } from '../json/value.ts';
import { limits } from '../limits.ts';
import { type Grant, type GrantProblem, wrongGrant } from './grant.ts';
import type { Target } from './target.ts';

/** What a grant says beside its target, checked. */
export interface GrantTerms {
  readonly ok: true;
  /** Empty: every method. */
  readonly methods: readonly string[];
  readonly bytes: number | null;
  readonly rate: string | null;
  readonly life: string | null;
  /** 0: nobody need be asked. */
  readonly approval: number;
  /** Groups whose people may approve; empty: anybody may. */
  readonly approvers: readonly string[];
  readonly permit: string | null;
}

/** By level. */
export const clearances: readonly string[] = ['public', 'internal', 'private', 'secret'];
/** CONNECT and TRACE are no requests to an origin: one is a tunnel, the other reflects credentials. */
const neverMethods = new Set(['CONNECT', 'TRACE', 'TRACK']);

export function parseTerms(grant: Grant): GrantTerms | GrantProblem {
  const methods = parseMethods(grant);
  if (!methods.ok) return methods;
  if (grant.clearance !== undefined && !clearances.includes(grant.clearance)) {
    return wrongGrant('clearance', `a clearance is one of ${clearances.join(', ')}`);
  }
  const flowless = checkLabels(grant);
  if (flowless !== null) return flowless;
  if (grant.deny !== undefined && (grant.limits !== undefined || grant.addresses !== undefined)) {
    return wrongGrant('limits', 'a deny has no limits and no addresses');
  }
  if (grant.deny !== undefined && grant.approval !== undefined) {
    return wrongGrant('approval', 'a deny is a deny, whoever agrees');
  }
  if (grant.deny !== undefined && grant.permit !== undefined) {
    return wrongGrant('permit', 'a deny gives no permit');
  }
  if (grant.deny !== undefined && (grant.websocket !== undefined || grant.tls !== undefined)) {
    return wrongGrant('deny', 'a deny names WebSockets and tunnels by their scheme', 'wss://api.example.com');
  }
  const odd = (grant.addresses ?? []).find((text) => rangeOf(text) === null);
  if (odd !== undefined) {
    return wrongGrant('addresses', `${JSON.stringify(odd)} is no address and no range`, '10.1.2.3 or 10.1.2.0/24');
  }
  const bytes = grant.limits?.bytes === undefined ? null : parseBytes(grant.limits.bytes);
  if (Number.isNaN(bytes))
    return wrongGrant('limits', `bytes: ${JSON.stringify(grant.limits?.bytes)} is no size`, '64KiB');
  const rate = grant.limits?.rate ?? null;
  if (rate !== null && !isRate(rate)) return wrongGrant('limits', `rate: ${JSON.stringify(rate)} is no rate`, '30/1m');
  const life = grant.limits?.life ?? null;
  if (life !== null && parseDuration(life) === null) {
    return wrongGrant('limits', `life: ${JSON.stringify(life)} is no duration`, '2h');
  }
  const asked = parseApproval(grant);
  if (!asked.ok) return asked;
  const permit = grant.permit ?? null;
  if (permit !== null && !audiencePattern.test(permit)) {
    return wrongGrant('permit', `${JSON.stringify(permit)} is no name of an effector`, 'payments');
  }
  return { ok: true, methods: methods.names, bytes, rate, life, approval: asked.people, approvers: asked.from, permit };
}

function parseApproval({
  approval,
}: Grant): { readonly ok: true; readonly people: number; readonly from: readonly string[] } | GrantProblem {
  if (approval === undefined) return { ok: true, people: 0, from: [] };
  const { people, from } = typeof approval === 'number' ? { people: approval, from: undefined } : approval;
  if (!(Number.isSafeInteger(people) && people >= 1 && people <= limits.approvalsMax)) {
    return wrongGrant('approval', `approval is how many people must agree, 1 to ${limits.approvalsMax}`, '1');
  }
  const most = limits.approverGroupsMax;
  if (from !== undefined && (from.length === 0 || from.length > most || !from.every((name) => groupName.test(name)))) {
    return wrongGrant('approval', `from names 1 to ${most} groups, each of a-z, 0-9, _, - and .`, '[finance]');
  }
  return { ok: true, people, from: [...new Set(from)].sort() };
}

/** A deny lets nothing through, so it says nothing of what may flow. */
function checkLabels(grant: Grant): GrantProblem | null {
  const { yields, critical, clearance } = grant;
  if (grant.deny !== undefined && (clearance !== undefined || yields !== undefined || critical !== undefined)) {
    return wrongGrant('deny', 'a deny has no clearance, no yields and no critical arguments');
  }
  if (yields !== undefined && !yieldsKnown.includes(yields)) {
    return wrongGrant('yields', `what a place yields is one of ${yieldsKnown.join(', ')}`);
  }
  const rules = Object.entries(critical ?? {});
  if (rules.length > limits.criticalRulesMax) {
    return wrongGrant('critical', `a grant has at most ${limits.criticalRulesMax} critical arguments`);
  }
  for (const [at, said] of rules) {
    if (!pointer.test(at)) return wrongGrant('critical', `${JSON.stringify(at)} is no JSON pointer`, '/to/*');
    const { type, among = [] } = typeof said === 'string' ? { type: said } : said;
    if (!criticalTypes.includes(type)) return wrongGrant('critical', `a type is one of ${criticalTypes.join(', ')}`);
    const odd = among.find((value) => !isNameable(type, value));
    if (odd !== undefined) return wrongGrant('critical', `${JSON.stringify(odd)} is no canonical ${type}`);
  }
  return null;
}

const yieldsKnown: readonly Yields[] = ['untrusted', 'derived', 'vouched'];
const pointer = /^(\/[^/"\\\s]{1,64}){1,16}$/;

function isNameable(type: CriticalType, value: string): boolean {
  if (type === 'email' && value.startsWith('@')) return isNameable(type, `a${value}`);
  const read = canonicalValue(type, type === 'money' ? Number(value) : type === 'argv' ? wordsOf(value) : value);
  return read.ok && read.value === value;
}

/** As a canonical argv is written: a JSON array. */
function wordsOf(text: string): Json {
  const parsed = parseJson(new TextEncoder().encode(text), 'arguments');
  return parsed.ok ? parsed.value : null;
}

/** What a grant of this kind cannot say: a term that nobody keeps must not look like one that is kept. */
export function checkKind(grant: Grant, { kind }: Target): GrantProblem | null {
  const request = kind === 'request';
  if (grant.limits?.life !== undefined && request && grant.websocket !== true) {
    return wrongGrant('limits', 'life is for tunnels and WebSockets');
  }
  if (grant.permit !== undefined && (!request || grant.websocket === true)) {
    return wrongGrant('permit', 'a permit is for one request; what a WebSocket or a tunnel carries is in none');
  }
  if (request) return null;
  const what = kind === 'tunnel' ? 'a tunnel' : 'a WebSocket alone';
  if (grant.methods !== undefined) return wrongGrant('methods', `${what} has no methods`);
  if (grant.body !== undefined) return wrongGrant('body', `${what} has no body`);
  if (grant.critical !== undefined)
    return wrongGrant('critical', `${what} has no JSON body that arguments are read of`);
  if (grant.encodedSlash !== undefined && kind === 'tunnel') return wrongGrant('allow', 'a tunnel has no path');
  if (grant.approval !== undefined && kind === 'tunnel') {
    return wrongGrant('approval', 'nobody could be shown what goes through a tunnel, so none waits for a person');
  }
  if (grant.websocket === true && kind === 'tunnel') {
    return wrongGrant('websocket', 'a tunnel is not read, so no WebSocket in it is decided');
  }
  return null;
}

function parseMethods(grant: Grant): { readonly ok: true; readonly names: readonly string[] } | GrantProblem {
  if (grant.methods === undefined) return { ok: true, names: grant.deny === undefined ? ['GET', 'HEAD'] : [] };
  if (grant.methods.length === 0) return wrongGrant('methods', 'name at least one method', '[GET, HEAD]');
  for (const method of grant.methods) {
    if (!/^[A-Z][A-Z-]{0,31}$/.test(method)) {
      const upper = method.toUpperCase();
      return wrongGrant('methods', `${JSON.stringify(method)} is no method`, /^[A-Z-]+$/.test(upper) ? upper : null);
    }
    if (neverMethods.has(method)) return wrongGrant('methods', `${method} cannot be granted`);
  }
  return { ok: true, names: [...new Set(grant.methods)] };
}

/** NaN for what is no size. */
function parseBytes(size: number | string): number {
  if (typeof size === 'number') return Number.isSafeInteger(size) && size >= 0 && size < 1e15 ? size : Number.NaN;
  const match = /^(0|[1-9][0-9]{0,9})(B|KiB|MiB|GiB)?$/.exec(size);
  if (match === null) return Number.NaN;
  const power = ['B', 'KiB', 'MiB', 'GiB'].indexOf(match[2] ?? 'B');
  const bytes = Number(match[1]) * 1024 ** power;
  return bytes < 1e15 ? bytes : Number.NaN;
}

function isRate(text: string): boolean {
  const [count = '', window = '', ...more] = text.split('/');
  return more.length === 0 && /^[1-9][0-9]{0,8}$/.test(count) && parseDuration(window) !== null;
}

/** A range in CIDR form; an address alone is the range of itself. */
export function rangeOf(text: string): string | null {
  const [address = '', prefix, ...more] = text.split('/');
  const parsed = addressOf(address);
  if (parsed === null || parsed.text !== address || more.length > 0) return null;
  const bits = parsed.kind === 'ipv4' ? 32 : 128;
  if (prefix === undefined) return `${address}/${bits}`;
  return /^(0|[1-9][0-9]{0,2})$/.test(prefix) && Number(prefix) <= bits ? text : null;
}
