import { audiencePattern } from '@cordon/protocol';
import { limits } from '../limits.ts';
import { type PolicyProblem, problem } from './problem.ts';

export interface Rate {
  readonly count: number;
  readonly windowMs: number;
}

/** What the annotations of one permit require. */
export interface PolicyDuties {
  readonly bytes: number | null;
  readonly rate: Rate | null;
  /** How long a tunnel or a WebSocket may last. */
  readonly lifeMs: number | null;
  /** Secrets that may be leased; null: it names none. */
  readonly lease: readonly string[] | null;
  /** The effector that is given a signed permit; null: it names none. */
  readonly permit: string | null;
  /** Groups whose people may approve; null: it names none. */
  readonly approvers: readonly string[] | null;
  readonly durable: boolean;
  /** Valid annotations that no adapter can keep yet, as `name:value`: whatever carries one is denied. */
  readonly unkept: readonly string[];
}

export interface ReadAnnotations {
  readonly duties: PolicyDuties;
  /** Reason code of a core rule. */
  readonly code: string | null;
  readonly source: string | null;
}

const listPattern = /^[A-Za-z0-9._-]+(,[A-Za-z0-9._-]+)*$/;
const groupsPattern = /^[a-z_][a-z0-9_.-]{0,62}(,[a-z_][a-z0-9_.-]{0,62}){0,15}$/;
const durationPattern = /^[1-9][0-9]{0,5}(ms|s|m|h)$/;
const values: Readonly<Record<string, RegExp>> = {
  bytes: /^(0|[1-9][0-9]{0,14})$/,
  rate: /^[1-9][0-9]{0,8}\/[1-9][0-9]{0,5}(ms|s|m|h)$/,
  life: durationPattern,
  redact: listPattern,
  delay: durationPattern,
  notify: listPattern,
  approvers: groupsPattern,
  lease: listPattern,
  permit: audiencePattern,
  durable: /^disk$/,
  readback: /^$/,
};
const unkept = ['redact', 'delay', 'notify', 'readback'];
/** Ids of the rules that are shipped with the code; only they name a reason code of their own. */
const corePrefix = 'ceiling/core/';

/** Annotations that nobody knows are errors: a misspelt `@bites("65536")` must not be a grant without a limit. */
export function readAnnotations(
  id: string,
  effect: 'permit' | 'forbid',
  annotations: Readonly<Record<string, string>>,
  report: (problem: PolicyProblem) => void,
): ReadAnnotations {
  for (const [name, value] of Object.entries(annotations)) {
    if (value.length > limits.annotationCharsMax) {
      report(problem(id, 'annotation-invalid', `@${name} is longer than ${limits.annotationCharsMax} characters`));
    }
    if (name === 'id' || name === 'source') continue;
    if (name === 'code') {
      if (!id.startsWith(corePrefix)) report(problem(id, 'annotation-misplaced', '@code belongs to core rules only'));
      continue;
    }
    const pattern = Object.hasOwn(values, name) ? values[name] : undefined;
    if (pattern === undefined) {
      report(
        problem(id, 'annotation-unknown', `@${name} is not known`, `known: ${Object.keys(values).join(', ')}, source`),
      );
    } else if (effect === 'forbid') {
      report(problem(id, 'annotation-misplaced', `@${name} means nothing on a forbid`, 'move it to a permit'));
    } else if (!pattern.test(value)) {
      report(
        problem(id, 'annotation-invalid', `@${name}(${JSON.stringify(value)}) is not of the form ${pattern.source}`),
      );
    }
  }
  return { duties: dutiesOf(annotations), code: annotations['code'] ?? null, source: annotations['source'] ?? null };
}

export function parseDuration(text: string): number | null {
  const match = /^([1-9][0-9]{0,5})(ms|s|m|h)$/.exec(text);
  if (match === null) return null;
  const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[match[2] ?? ''];
  return unit === undefined ? null : Number(match[1]) * unit;
}

function dutiesOf(annotations: Readonly<Record<string, string>>): PolicyDuties {
  const { bytes, rate, life, lease, permit, approvers, durable } = annotations;
  return {
    bytes: bytes === undefined ? null : Number(bytes),
    rate: rate === undefined ? null : parseRate(rate),
    lifeMs: life === undefined ? null : parseDuration(life),
    lease: lease === undefined ? null : lease.split(','),
    permit: permit ?? null,
    approvers: approvers === undefined ? null : approvers.split(','),
    durable: durable === 'disk',
    unkept: unkept.filter((name) => annotations[name] !== undefined).map((name) => `${name}:${annotations[name]}`),
  };
}

function parseRate(text: string): Rate | null {
  const [count, window] = text.split('/');
  const windowMs = parseDuration(window ?? '');
  return windowMs === null ? null : { count: Number(count), windowMs };
}
