import type { Intent } from '@cordon/protocol';
import { type Account, accountOf, sharedHostOf } from '../catalogue/account.ts';
import { criticalOf } from '../catalogue/route.ts';
import type { SharedHost } from '../catalogue/shared-hosts.ts';
import { type CriticalArgument, type CriticalArguments, isAmong, noCritical, readCritical } from '../critical/read.ts';
import type { Refusal } from '../error.ts';
import { defaultEffect, type Flow } from '../fact/facts.ts';
import type { Integrity } from './label.ts';
import { type Chosen, chosenIn, type LeakMeter } from './leak.ts';
import { mayHoldLinks } from './links.ts';
import type { Provenance } from './provenance.ts';
import { hostOf, isWritten, type Sink, segmentsOf } from './sink.ts';

/** All that is known beside the intent when its labels are worked out. */
export interface FlowQuestion {
  readonly intent: Intent;
  /** The payload, decoded. */
  readonly body: Uint8Array;
  readonly provenance: Provenance;
  readonly sinks: readonly Sink[];
  readonly meter: Pick<LeakMeter, 'costOf' | 'hasRoomFor'>;
  /** A credential of ours goes along in every request to this origin, whatever the agent puts there. */
  readonly ownCredential: boolean;
}

export interface FlowAnswer {
  readonly flow: Flow;
  readonly critical: CriticalArguments;
  /** Null where a body's critical argument has one reading each. */
  readonly refused: Refusal<'critical-not-canonical'> | null;
  /** What the meter must count if this goes out; null: nothing, as the data may go there anyway. */
  readonly leaks: { readonly chosen: Chosen; readonly bytes: number } | null;
}

/** The flow facts of one intent (rules R1 to R8 read these and nothing else). Pure; whatever is unknown is the worst. */
export function flowOf(question: FlowQuestion): FlowAnswer {
  const { intent, body, provenance, sinks, meter } = question;
  const context = provenance.context();
  const host = hostOf(intent);
  const shared = host === null ? null : sharedHostOf(host);
  // What the far side says on a WebSocket is not the agent's: nothing of the context is in it.
  const inbound = intent.action === 'http.message' && intent.args['direction'] === 'in';
  const argument = inbound ? null : provenance.argument('', null);
  const argConf = argument?.confidentiality ?? 0;
  const argInteg = argument?.integrity ?? 0;
  const clearance = clearanceOf(sinks);
  const rules = [...sinks.flatMap(({ rule }) => rule.critical), ...criticalOf(intent)];
  const read = inbound ? noCritical : readCritical(rules, body);
  const critical = read.ok ? read : noCritical;
  const readersOk = argument === null || argument.readers === 'all';
  const reads = defaultEffect(intent) === 'read';
  const metered = reads && !inbound && argConf > clearance && !readersOk;
  const chosen = metered ? chosenIn(intent, sinks) : null;
  const bytes = chosen === null ? 0 : meter.costOf(chosen);
  return {
    flow: {
      argConf,
      argInteg,
      clearance,
      ctxConf: context.confidentiality,
      ctxInteg: context.integrity,
      destInteg: read.ok && host !== null ? destInteg(question, shared, critical.values) : 0,
      leakOk: reads && (chosen === null || meter.hasRoomFor(bytes)),
      linksOk:
        argInteg >= 1 ||
        inbound ||
        shared?.people === false ||
        (shared === null && host !== null) ||
        !mayHoldLinks(intent.payload.kind, body),
      readersOk,
    },
    critical,
    refused: read.ok ? null : read,
    leaks: chosen === null ? null : { chosen, bytes },
  };
}

/** What any grant of the session clears, and no more than the tenant says where it says something. */
function clearanceOf(sinks: readonly Sink[]): number {
  const said = (byTenant: boolean) =>
    sinks.flatMap((sink) => (sink.byTenant === byTenant && sink.rule.clearance !== null ? [sink.rule.clearance] : []));
  const own = Math.max(0, ...said(false));
  const ceiling = said(true);
  return ceiling.length === 0 ? own : Math.min(own, Math.max(...ceiling));
}

/** The least of what is known about where it goes: the origin, whose account it is there, and every critical argument. */
function destInteg(question: FlowQuestion, shared: SharedHost | null, values: readonly CriticalArgument[]): Integrity {
  const { intent, sinks, provenance } = question;
  if (sinks.length === 0) return 0;
  // Below a domain the agent picks the name, unless the order wrote it out.
  const picked = sinks.every(({ wildcard }) => !wildcard)
    ? 4
    : Math.max(2, provenance.entity({ type: 'origin', value: intent.resource }, 'destination'));
  const named = Math.max(
    ...sinks.map(({ rule, wildcard }) => (wildcard ? Math.min(rule.integrity, picked) : rule.integrity)),
  );
  const account = shared === null ? 4 : accountInteg(question, accountOf(shared, segmentsOf(intent)), named);
  const target = defaultEffect(intent) === 'destroy' ? targetInteg(question) : 4;
  const each = values.map(({ rule, value }) =>
    isAmong(rule, value) ? named : provenance.entity({ type: rule.type, value }, 'argument'),
  );
  return Math.min(named, account, target, ...each) as Integrity;
}

/** On a shared host an account counts as named where a grant writes it out, or the order does. */
function accountInteg({ sinks, provenance, ownCredential }: FlowQuestion, account: Account, named: number): number {
  switch (account.kind) {
    case 'unknown':
      return 0;
    case 'credential':
      return ownCredential ? 4 : 0;
    case 'named': {
      const { service, name, segments } = account;
      const written = sinks.some(({ rule }) => isWritten(rule.path.segments, segments));
      if (written) return named;
      return provenance.entity({ type: 'account', value: `${service}/${name}` }, 'account');
    }
  }
}

/** What is destroyed: written out by a grant, named by the order, or picked by whoever wrote the context. */
function targetInteg({ intent, sinks, provenance }: FlowQuestion): number {
  const segments = segmentsOf(intent);
  const exact = sinks.some(({ rule: { path } }) => !path.below && isWritten(path.segments, segments.length));
  if (exact) return 4;
  const url = { type: 'url', value: `${intent.resource}/${segments.join('/')}` };
  return Math.max(provenance.entity(url, 'target'), provenance.argument('/args/path', null).integrity);
}
