import {
  type CheckedEndorsement,
  checkEndorsement,
  digestEndorsement,
  digestTerms,
  openEndorsement,
  termsOf,
} from '@cordon/policy';
import {
  type Clock,
  type EndorsementRecord,
  type EndorsementTaken,
  type EndorsementUse,
  type Intent,
  type Person,
  samePerson,
  type TenantPolicy,
} from '@cordon/protocol';
import type { Signer } from '@cordon/protocol/dsse';
import type { EndorsementStore, StoredEndorsement, StoredHold } from '@cordon/store';
import {
  type CheckedEndorsementUse,
  endorsementUse,
  hashOf,
  isInForce,
  standingSession,
  strangerIn,
} from '../approvals/standing.ts';
import { refusal } from '../error.ts';
import type { Recorder } from '../ledger/recorder.ts';
import { limits } from '../limits.ts';
import type { Log } from '../log.ts';
import type { People } from '../people/people.ts';
import type { LiveSession } from '../sessions/live.ts';
import type { SessionRegistry } from '../sessions/registry.ts';
import { covers, type StopScope, type StopTable } from '../stops/table.ts';
import { Turns } from '../turns.ts';
import { signEndorsementReceipt, signedData, usedData } from './entry.ts';
import { unendorsed } from './refuse.ts';

export interface EndorsementParts {
  readonly store: EndorsementStore;
  readonly registry: SessionRegistry;
  readonly stops: StopTable;
  readonly recorder: Recorder;
  readonly people: Pick<People, 'directory' | 'local'>;
  readonly tenant: () => TenantPolicy;
  /** A question that can still let something through. */
  readonly held: (hold: string) => StoredHold | null;
  /** Whose word counts for nothing of this session. */
  readonly excluded: (session: LiveSession) => readonly Person[];
  /** People have answered these very bytes: that comes first, a no above all. */
  readonly isAnswered: (session: string, intent: string) => boolean;
  readonly signer: Signer;
  readonly clock: Clock;
  readonly log: Log;
  /** To those who watch. */
  readonly changed: (endorsement: StoredEndorsement) => void;
}

/**
 * What people have named for a time, and how much of it is left: `open → active → used`, or withdrawn, expired, void.
 * As with holds, every step is a conditional write, is in the ledger before anybody can use it, and one that lets nothing
 * through any more takes effect at once.
 */
export class Endorsements implements Disposable {
  readonly #parts: EndorsementParts;
  readonly #live = new Map<string, StoredEndorsement>();
  readonly #turns = new Turns();
  readonly #sweep: ReturnType<typeof setInterval>;

  private constructor(parts: EndorsementParts) {
    this.#parts = parts;
    this.#sweep = setInterval(() => this.#expire(), limits.holdSweepMs);
  }

  /** With what a control plane before us knew; what no longer stands is settled now. */
  static async open(parts: EndorsementParts): Promise<Endorsements> {
    const endorsements = new Endorsements(parts);
    for (const each of await parts.store.live()) endorsements.#live.set(each.terms.id, each);
    const { registry, stops } = parts;
    const isOne = ({ terms }: StoredEndorsement): boolean => 'session' in terms.scope;
    endorsements.#void((each) => isOne(each) && registry.find(each.session) === null, 'session-ended');
    for (const { scope } of stops.active) endorsements.voidWithin(scope, 'session-stopped');
    endorsements.voidStale();
    endorsements.#expire();
    return endorsements;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#sweep);
  }

  /**
   * One person's signature, made from a question that waits. @throws CordonError `hold-settled` `endorsement-nothing`
   * `endorsement-limit`, or why it does not count
   */
  async sign(holdId: string, envelope: unknown): Promise<StoredEndorsement> {
    const held = this.#parts.held(holdId);
    if (held === null) throw refusal('hold-settled', `${holdId} does not wait any more`, ['cordon approvals']);
    const session = standingSession(this.#parts, held.session, held.record.policy);
    const { directory } = this.#parts.people;
    const record = openEndorsement(envelope, { hold: held.record, directory, excluded: this.#parts.excluded(session) });
    if (typeof record === 'string') throw unendorsed(record);
    if (held.view === null || held.view.unnamed.length === 0) {
      const why = `${holdId} waits for another reason than that nobody has named who gets it`;
      throw refusal('endorsement-nothing', why, [`cordon approve ${holdId}`]);
    }
    const { clock } = this.#parts;
    const off = Math.abs(clock.now() - Date.parse(record.from));
    if (off > limits.endorsementSkewMs) throw unendorsed('endorsement-expired');
    return await this.#turns.take(record.id, () => this.#sign(held, session, record, envelope));
  }

  /**
   * Takes one use for one attempt; null where nothing in force names all of it. INVARIANT: the store counts it first and
   * for good, then the ledger has it on disk, and only then anybody gets a receipt.
   */
  async take(given: EndorsementUse, gateway: string): Promise<EndorsementTaken | null> {
    const asked = parse(given);
    const session = standingSession(this.#parts, asked.session, asked.policy);
    const stranger = strangerIn(asked.intent, session.policy);
    if (stranger !== null) throw refusal('hold-mismatch', `${stranger} is not what was to be expected`);
    if (this.#parts.isAnswered(asked.session, hashOf(asked.intent))) return null;
    for (const [id, known] of [...this.#live]) {
      if (known.state !== 'active' || !isFor(known, session)) continue;
      const taken = await this.#turns.take(id, () => this.#take(id, asked, gateway));
      if (taken !== null) return taken;
    }
    return null;
  }

  /** Nothing more comes of it. @throws CordonError `not-found` `hold-settled` */
  async withdraw(id: string, by: string): Promise<StoredEndorsement> {
    const known = this.#live.get(id);
    if (known === undefined) {
      const stored = await this.#parts.store.get(id);
      if (stored === null) throw refusal('not-found', `there is no endorsement ${id}`, ['cordon endorsements list']);
      throw refusal('hold-settled', `${id} is ${stored.state}`, ['cordon endorsements list --all']);
    }
    const reason = `by ${by}`;
    await this.#settle(known, 'withdrawn', reason);
    return { ...known, state: 'withdrawn', reason };
  }

  /** What was given to one of these sessions. */
  voidSessions(sessions: readonly string[], why: string): void {
    this.#void(({ terms, session }) => 'session' in terms.scope && sessions.includes(session), why);
  }

  /** A stop or a lift; what was given to an agent ends with a stop of any of its sessions. */
  voidWithin(scope: StopScope, why: string): void {
    const stopped = 'session' in scope ? this.#parts.registry.find(scope.session)?.agent : undefined;
    this.#void(({ terms, session, agent }) => {
      if ('agent' in terms.scope && stopped === agent) return true;
      return covers(scope, { id: session, agent });
    }, why);
  }

  /** After a new generation, or a new revision of a session. */
  voidStale(): void {
    const { tenant, registry } = this.#parts;
    const now = tenant();
    this.#void(({ terms, hold, session }) => {
      if ('agent' in terms.scope) return hold.policy.generation !== now.generation;
      const live = registry.find(session);
      return live === null || !isInForce(hold.policy, now, live.policy);
    }, 'policy-changed');
  }

  /** After the list of people has changed: whoever left it, or a group that was asked, stands for nothing any more. */
  voidUncounted(): void {
    const { directory } = this.#parts.people;
    this.#void(
      ({ hold, signed }) =>
        signed.some(({ envelope }) => typeof openEndorsement(envelope, { hold, directory, excluded: [] }) === 'string'),
      'people-changed',
    );
  }

  async #sign(
    held: StoredHold,
    session: LiveSession,
    record: EndorsementRecord,
    envelope: unknown,
  ): Promise<StoredEndorsement> {
    const known = this.#live.get(record.id) ?? null;
    const at = this.#at(0);
    const before: StoredEndorsement = known ?? {
      ...{ terms: termsOf(record), hold: held.record, session: held.session, agent: held.agent, state: 'open' },
      ...{ version: 1, at, used: { uses: 0, bytes: 0 }, reason: '', signed: [] },
    };
    if (known === null) await this.#checkNew(record, held.session);
    else if (digestTerms(known.terms) !== digestTerms(termsOf(record))) throw unendorsed('endorsement-other-terms');
    if (known !== null && known.state !== 'open') throw refusal('hold-settled', `${record.id} is ${known.state}`);
    const signed = [...before.signed, { envelope, at }];
    const checked = this.#checkFirst({ ...before, signed }, held, session);
    if (!checked.ok && checked.code !== 'endorsement-quorum') throw unendorsed(checked.code);
    const now: StoredEndorsement = { ...before, signed, state: checked.ok ? 'active' : 'open' };
    const { recorder, people, store } = this.#parts;
    const selfApproved = samePerson(record.person, people.local(session.policy.person));
    const data = signedData(now, record, digestEndorsement(record), selfApproved);
    const body = JSON.stringify({ envelope });
    await recorder.record({ type: 'endorsement', session: held.session, data, body }, 'disk');
    if (known === null) await store.insert(now);
    else await store.update(record.id, known.version, { signed, state: now.state });
    const kept = known === null ? now : { ...now, version: known.version + 1 };
    // A stop or a new policy that came during the writes wins; after this line nothing is awaited.
    const stands = (this.#live.get(record.id) ?? null) === known && this.#parts.held(held.record.id) !== null;
    if (stands) this.#live.set(record.id, kept);
    else await store.update(record.id, kept.version, { state: 'void', reason: 'hold-settled' });
    if (!stands) throw refusal('hold-settled', `${held.record.id} does not wait any more`, ['cordon approvals']);
    this.#parts.changed(kept);
    return kept;
  }

  async #checkNew({ id }: EndorsementRecord, session: string): Promise<void> {
    if ((await this.#parts.store.get(id)) !== null) throw refusal('conflict', `${id} is over`, ['make another']);
    const own = [...this.#live.values()].filter((each) => each.session === session).length;
    if (own >= limits.endorsementsPerSessionMax || this.#live.size >= limits.endorsementsMax) {
      throw refusal('endorsement-limit', 'as many endorsements are in force as may be', ['cordon endorsements list']);
    }
  }

  /** Whether it would do for the very question that it is made from. */
  #checkFirst(endorsement: StoredEndorsement, { record, view }: StoredHold, session: LiveSession): CheckedEndorsement {
    if (view === null) return { ok: false, code: 'endorsement-other-hold' };
    const { floor: flow, policy, rung, groups } = record;
    const { intent, unnamed } = view;
    return this.#check(endorsement, session, { intent, unnamed, flow, policy, rung, groups });
  }

  #check(
    { hold, signed, used }: StoredEndorsement,
    session: LiveSession,
    asked: Pick<EndorsementUse, 'intent' | 'unnamed' | 'flow' | 'policy' | 'rung' | 'groups'>,
  ): CheckedEndorsement {
    const { intent, unnamed, flow, policy, rung, groups } = asked;
    return checkEndorsement({
      ...{ hold, intent, unnamed, flow, policy, rung, groups, used },
      endorsements: signed.map(({ envelope }) => envelope),
      now: this.#at(0),
      directory: this.#parts.people.directory,
      excluded: this.#parts.excluded(session),
    });
  }

  async #take(id: string, asked: CheckedEndorsementUse, gateway: string): Promise<EndorsementTaken | null> {
    const known = this.#live.get(id);
    if (known?.state !== 'active') return null;
    const session = standingSession(this.#parts, asked.session, asked.policy);
    const checked = this.#check(known, session, { ...asked, intent: asked.intent as unknown as Intent });
    if (!checked.ok) return null;
    const { store, recorder, people, signer } = this.#parts;
    const { left } = checked;
    const used = { uses: known.terms.uses - left.uses, bytes: known.terms.bytes - left.bytes };
    const change = { used, ...(left.uses === 0 || left.bytes === 0 ? ({ state: 'used' } as const) : {}) };
    await store.update(id, known.version, change);
    const now: StoredEndorsement = { ...known, ...change, version: known.version + 1 };
    if (this.#live.get(id) !== known) return null;
    if (now.state === 'active') this.#live.set(id, now);
    else this.#live.delete(id);
    const intent = hashOf(asked.intent);
    const taken = { before: known, asked, intent, gateway, checked, excluded: this.#parts.excluded(session) };
    const body = JSON.stringify({ named: asked.unnamed });
    const note = { type: 'endorsement.used' as const, session: asked.session, data: usedData(taken), body };
    await recorder.record(note, 'disk');
    // INVARIANT: a stop, a withdrawal or a new policy that came during the writes wins; nothing is awaited from here on.
    standingSession(this.#parts, asked.session, asked.policy);
    if (now.state === 'active' && this.#live.get(id) !== now) return null;
    this.#parts.changed(now);
    const expires = this.#at(limits.approvalReceiptMs);
    const receipt = signEndorsementReceipt(taken, { directory: people.directory, signer, expires });
    return { record: known.hold, endorsements: known.signed.map(({ envelope }) => envelope), receipt };
  }

  #expire(): void {
    const now = this.#at(0);
    for (const each of [...this.#live.values()]) if (now >= each.terms.expires) this.#settleLater(each, 'expired', '');
  }

  #void(matches: (endorsement: StoredEndorsement) => boolean, why: string): void {
    for (const each of [...this.#live.values()].filter(matches)) this.#settleLater(each, 'void', why);
  }

  #settleLater(endorsement: StoredEndorsement, state: 'void' | 'expired', reason: string): void {
    const what = `${state} of ${endorsement.terms.id}`;
    this.#settle(endorsement, state, reason).catch((error: unknown) => this.#parts.log.fault(what, error));
  }

  /** INVARIANT: out of `#live` before anything is awaited, so nothing is let through while it is being written. */
  async #settle(
    endorsement: StoredEndorsement,
    state: 'void' | 'expired' | 'withdrawn',
    reason: string,
  ): Promise<void> {
    const { id } = endorsement.terms;
    this.#live.delete(id);
    const { recorder, store, log, changed } = this.#parts;
    const note = { type: 'endorsement' as const, session: endorsement.session, data: { act: state, id, reason } };
    await recorder.record(note, 'os').catch((error: unknown) => log.fault(`${state} of ${id} not recorded`, error));
    // Behind whatever is being written of it now.
    await this.#turns.take(id, async () => {
      const stored = await store.get(id);
      if (stored?.state !== 'open' && stored?.state !== 'active') return;
      await store.update(id, stored.version, { state, reason });
    });
    changed({ ...endorsement, state, reason });
  }

  #at(offsetMs: number): string {
    return new Date(this.#parts.clock.now() + offsetMs).toISOString();
  }
}

function isFor({ terms: { scope } }: StoredEndorsement, session: LiveSession): boolean {
  return 'session' in scope ? scope['session'] === session.id : scope['agent'] === session.agent;
}

/** @throws CordonError `request-invalid` */
function parse(given: EndorsementUse): CheckedEndorsementUse {
  try {
    return endorsementUse.parse(given);
  } catch (cause) {
    throw refusal('request-invalid', 'the gateway’s question is not of its form', [], cause);
  }
}
