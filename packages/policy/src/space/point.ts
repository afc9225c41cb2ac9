import type { Intent, PayloadKind } from '@cordon/protocol';
import { type CedarRequest, createRequest } from '../decide/request.ts';
import { createSlice, type Slice } from '../decide/slice.ts';
import { type ApprovalFacts, createFacts, type Facts } from '../fact/facts.ts';
import type { Effect } from '../fact/field.ts';
import { trialIntent } from '../fact/trial-intent.ts';
import { type Axis, type AxisValue, type Tags, worstOf } from './axis.ts';
import type { Scene } from './scene.ts';

/** One request of the space: a scene and an index into each axis. */
export interface Point {
  readonly scene: Scene;
  readonly values: ReadonlyMap<string, AxisValue>;
}

/** What is not among the axes stands at its worst. */
export function pointOf(scene: Scene, axes: readonly Axis[], at: readonly number[]): Point {
  const values = new Map<string, AxisValue>();
  for (const [index, axis] of axes.entries()) values.set(axis.path, axis.values[at[index] ?? axis.usual] ?? false);
  return { scene, values };
}

/** As `authorize` is given it. */
export interface Request {
  readonly intent: Intent;
  readonly facts: Facts;
  readonly approval: ApprovalFacts;
}

const attempt = 'att_space';
const never = '9999-12-31T23:59:59.999Z';
/** A Monday, 00:00 UTC. */
const monday = Date.UTC(2024, 0, 1);

export function requestOf({ scene, values }: Point): Request {
  const value = (path: string): AxisValue => values.get(path) ?? worstOf(path);
  const number = (path: string): number => Number(value(path));
  const yes = (path: string): boolean => value(path) === true;
  const intent = intentOf(scene, number('http.bytes'), String(value('http.body')));
  const facts = createFacts(intent, {
    attempt,
    at: new Date(monday + number('minuteOfWeek') * 60_000).toISOString(),
    freshUntil: never,
    anomaly: number('anomaly'),
    args: tagsOf(value('args')) as Facts['args'],
    attested: number('attested'),
    boundary: number('boundary'),
    breaker: number('breaker'),
    covered: yes('covered'),
    depth: number('depth'),
    effect: value('effect') as Effect,
    flow: {
      argConf: number('flow.argConf'),
      argInteg: number('flow.argInteg'),
      clearance: number('flow.clearance'),
      ctxConf: number('flow.ctxConf'),
      ctxInteg: number('flow.ctxInteg'),
      destInteg: number('flow.destInteg'),
      leakOk: yes('flow.leakOk'),
      linksOk: yes('flow.linksOk'),
      readersOk: yes('flow.readersOk'),
    },
    live: yes('live'),
    nums: tagsOf(value('nums')) as Facts['nums'],
    pinned: yes('pinned'),
    quotaOk: yes('quotaOk'),
    undoable: yes('undoable'),
  });
  return { intent, facts, approval: { quorum: number('approval.quorum'), strong: yes('approval.strong') } };
}

function tagsOf(value: AxisValue): Tags {
  return typeof value === 'object' ? value : {};
}

function intentOf({ principal, action, resource, method, path }: Scene, bytes: number, kind: string): Intent {
  const http = action.startsWith('http.') && action !== 'http.tunnel';
  const args = http ? { method, path, query: [], headers: [] } : {};
  return trialIntent(principal, { action, resource, args, bytes, body: kind as PayloadKind });
}

/** The question as Cedar is asked it; null when the scene has no canonical reading, so that nothing could be decided. */
export function cedarOf(point: Point): { readonly request: CedarRequest; readonly slice: Slice } | null {
  const { intent, facts, approval } = requestOf(point);
  const slice = createSlice(point.scene.principal, intent.action, intent.resource, facts);
  const request = slice === null ? null : createRequest(intent, facts, approval, slice);
  return slice === null || request === null ? null : { request, slice };
}

/** In words: what is done, and every fact that is not as usual. A method or path that no policy reads stands for any. */
export function describePoint(
  { scene, values }: Point,
  axes: readonly Axis[],
  read: (path: string) => boolean,
): string {
  const { principal, action, resource, method, path } = scene;
  const http = action.startsWith('http.') && action !== 'http.tunnel';
  const how = http && read('http.method') ? ` ${method}` : '';
  const where = http && read('http.route') ? path : '';
  const facts = axes
    .filter((axis) => axis.values[axis.usual] !== values.get(axis.path) || axis.path === 'effect')
    .map((axis) => `${axis.path} ${textOf(values.get(axis.path))}`);
  return [`${action}${how} ${resource}${where} by agent ${principal.agent}`, ...facts].join(', ');
}

function textOf(value: AxisValue | undefined): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
