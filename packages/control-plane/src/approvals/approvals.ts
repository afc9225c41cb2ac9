import { type CheckedApprovals, checkApprovals, openApproval } from '@cordon/policy';
import {
  type AnswerFlag,
  type ApprovalRecord,
  type BudgetRaise,
  createId,
  type HoldNews,
  type HoldOrder,
  type HoldTaken,
  type HoldUse,
  type Person,
  type RecordValue,
  raiseAction,
  samePerson,
} from '@cordon/protocol';
import type { StoredHold } from '@cordon/store';
import { refusal } from '../error.ts';
import { limits } from '../limits.ts';
import type { LiveSession } from '../sessions/live.ts';
import { Turns } from '../turns.ts';
import { areStillKnown, checkEligible } from './eligible.ts';
import { LiveHolds, newsOf } from './live-holds.ts';
import { AnswerPace } from './pace.ts';
import type { ApprovalParts } from './parts.ts';
import { createQuestion } from './question.ts';
import { raiseOrder, raiseSummary, useForRaise } from './raise.ts';
import { answeredData, digestHold, signReceipt, usedData } from './receipt.ts';
import { checkVersion, settled, uncounted } from './refuse.ts';
import {
  type CheckedOrder,
  hashOf,
  holdOrder,
  holdUse,
  isInForce,
  isRungOf,
  parseOrder,
  standingSession,
  strangeIn,
} from './standing.ts';

/**
 * Questions to people and what becomes of them: `open → approved → used`, or denied, expired, void. Every step is in the
 * ledger before anybody can see or use it, each is a conditional write, and one that lets nothing through any more
 * (a stop, a new policy, the end of a session) takes effect at once, before it is written.
 */
export class Approvals implements Disposable {
  readonly #parts: ApprovalParts;
  readonly #live = new LiveHolds();
  readonly #turns = new Turns();
  readonly #pace = new AnswerPace();
  readonly #sweep: ReturnType<typeof setInterval>;

  private constructor(parts: ApprovalParts) {
    this.#parts = parts;
    this.#sweep = setInterval(() => this.#expire(), limits.holdSweepMs);
  }

  /** With what a control plane before us knew; what no longer stands is settled now. */
  static async open(parts: ApprovalParts): Promise<Approvals> {
    const approvals = new Approvals(parts);
    for (const hold of await parts.store.live(approvals.#at(0))) approvals.#live.put(hold);
    const { items } = await parts.store.list({ limit: limits.pageItemsMax });
    for (const { answers } of items) approvals.#pace.recall(answers, parts.clock.now());
    approvals.voidWhere(({ session }) => parts.registry.find(session) === null, 'session-ended');
    approvals.voidWhere(({ session }) => approvals.#isStopped(session), 'session-stopped');
    // A yes about a purse that came to nothing: it was spent, or never on record as used.
    approvals.voidWhere(({ record, state }) => record.kind === 'budget' && state === 'approved', 'interrupted');
    approvals.voidStale();
    approvals.#expire();
    return approvals;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#sweep);
  }

  /**
   * A gateway asks for an intent that policy holds. The same bytes find the question that is asked already, or the no
   * that was said to it.
   * @throws CordonError `request-invalid` `session-ended` `session-stopped` `hold-mismatch` `hold-stale` `hold-limit`
   *   `approval-unsatisfiable`
   */
  async open(given: HoldOrder): Promise<HoldNews> {
    const order = parseOrder(holdOrder, given);
    const intent = hashOf(order.intent);
    return await this.#turns.take(`${order.session} ${intent}`, async () => {
      const session = this.#standing(order.session, order.policy);
      const strange = strangeIn(order, session.policy);
      if (strange !== null || order.intent.action === raiseAction)
        throw refusal('hold-mismatch', `${strange ?? 'action'} is not what was to be expected`);
      if (!isRungOf(order.rung, this.#parts.tenant())) throw refusal('hold-mismatch', 'this tenant has no such rung');
      const known = this.#live.of(order.session, intent);
      const same = known?.record.policy.digest === order.policy.digest && this.#at(0) < known.record.expires;
      if (known !== null && same) return newsOf(known);
      if (known !== null) await this.#settle(known, 'void', 'asked anew');
      checkEligible(order, this.#parts.people.directory, this.excluded(session));
      return newsOf(await this.#ask(order, intent));
    });
  }

  /** A purse is empty whose owner says that people are asked: once, however many sessions meet it. */
  async askRaise(id: string, raise: BudgetRaise): Promise<void> {
    const { clock, random, tenant } = this.#parts;
    const budget = raiseSummary(raise);
    await this.#turns.take(budget, async () => {
      const session = this.#parts.registry.find(id);
      const asked = this.#live.all().some(({ record, summary }) => record.kind === 'budget' && summary === budget);
      if (asked || session === null) return;
      const order = raiseOrder({ raise, session, tenant: tenant(), attempt: createId('attempt', clock, random) });
      await this.#ask(order, hashOf(order.intent), budget);
    });
  }

  /**
   * Takes one use for one attempt. INVARIANT: the store counts it first and for good, then the ledger has it on disk,
   * and only then anybody gets a receipt; whatever fails on the way costs a use and lets nothing through.
   * @throws CordonError `hold-settled` `hold-mismatch`, and whatever `checkApprovals` says
   */
  async use(given: HoldUse, gateway: string): Promise<HoldTaken> {
    const asked = parseOrder(holdUse, given);
    return await this.#turns.take(asked.hold, async () => {
      const hold = this.#live.get(asked.hold);
      if (hold?.state !== 'approved') throw settled(asked.hold);
      if (hold.session !== asked.session || hold.record.intent !== asked.intent) {
        throw refusal('hold-mismatch', `${asked.hold} is about something else`);
      }
      const session = this.#standing(asked.session, asked.policy);
      const checked = this.#check(hold, session, asked);
      if (!checked.ok) throw uncounted(checked.code);
      const left = checked.left - 1;
      const change = { used: hold.used + 1, ...(left === 0 ? ({ state: 'used', view: null } as const) : {}) };
      const { store, recorder, people, signer } = this.#parts;
      await store.update(hold.record.id, hold.version, change);
      const now: StoredHold = { ...hold, ...change, version: hold.version + 1 };
      const stands = this.#replace(hold, now);
      const by = { left, approvals: checked.approval.ids, people: checked.people, excluded: this.excluded(session) };
      const taken = { hold: now, tenant: session.policy.tenant, asked, gateway, ...by };
      await recorder.record({ type: 'approval.used', session: asked.session, data: usedData(taken) }, 'disk');
      // INVARIANT: a stop or a new policy that came during the writes wins; after this line nothing is awaited.
      this.#standing(asked.session, asked.policy);
      if (!stands || (left > 0 && this.#live.get(asked.hold) !== now)) throw settled(asked.hold);
      this.#parts.changed(now);
      const receipt = signReceipt(taken, {
        directory: people.directory,
        signer,
        expires: this.#at(limits.approvalReceiptMs),
      });
      return { record: hold.record, approvals: hold.answers.map(({ envelope }) => envelope), receipt };
    });
  }

  /** One person's signed answer. @throws CordonError `not-found` `hold-settled` `etag-mismatch`, or why it does not count */
  async answer(id: string, envelope: unknown, reason: string, ifMatch: string | null): Promise<StoredHold> {
    return await this.#turns.take(id, async () => {
      const hold = this.#live.get(id);
      if (hold === null || hold.state === 'denied') throw await this.#whySettled(id);
      checkVersion(hold, ifMatch);
      const session = this.#standing(hold.session, hold.record.policy);
      const record = this.#openAnswer(hold, session, envelope);
      if (hold.state === 'approved' && record.verdict === 'approve') throw settled(id, 'approved already');
      const flags = this.#pace.take(record.person, hold.at, this.#parts.clock.now());
      await this.#recordAnswer(hold, session, { record, envelope, reason, flags });
      const answers = [...hold.answers, { envelope, at: this.#at(0), flags }];
      const state = this.#stateAfter({ ...hold, answers }, session, record);
      const kept = state === 'approved' ? this.#parts.earlier.seal({ ...hold, answers }) : {};
      const change = { answers, state, ...(state === 'denied' ? { reason, view: null } : {}) };
      // What became of it while the disk was written to comes first.
      if (this.#live.get(id) !== hold) throw await this.#whySettled(id);
      await this.#parts.store.update(id, hold.version, { ...change, ...kept });
      const now: StoredHold = { ...hold, ...change, version: hold.version + 1 };
      if (!this.#replace(hold, now)) throw await this.#whySettled(id);
      const done = now.state === 'approved' && hold.record.kind === 'budget' ? await this.#raise(now, session) : now;
      this.#parts.changed(done);
      return done;
    });
  }

  /** Null: it lets nothing through any more. */
  live(id: string): StoredHold | null {
    const hold = this.#live.get(id);
    return hold === null || hold.state === 'denied' ? null : hold;
  }

  /** Somebody has said yes or no to these very bytes, and that stands. */
  isAnswered(session: string, intent: string): boolean {
    const state = this.#live.of(session, intent)?.state;
    return state === 'approved' || state === 'denied';
  }

  /**
   * The one use of a yes about a purse, at once and by ourselves. INVARIANT: counted first and for good, on record with its
   * answers, then raised; what stops in between has cost the yes.
   */
  async #raise(hold: StoredHold, session: LiveSession): Promise<StoredHold> {
    const { clock, random, store, log } = this.#parts;
    const { record, view } = hold;
    const checked = this.#check(hold, session, { flow: record.floor, policy: record.policy });
    if (!checked.ok || view === null) return hold;
    const change = { state: 'used', used: 1, view: null } as const;
    await store.update(record.id, hold.version, change);
    const now: StoredHold = { ...hold, ...change, version: hold.version + 1 };
    if (!this.#replace(hold, now)) throw settled(record.id);
    const use = { attempt: createId('attempt', clock, random), approvals: checked.approval.ids };
    const raised = await useForRaise(this.#parts, { hold: now, view, session, use });
    if (!raised) log.info(`${record.id}: the time that it was asked for is over`);
    return now;
  }

  /** Everything of these sessions: stopped, lifted or over. */
  voidSessions(sessions: readonly string[], why: string): void {
    this.voidWhere((hold) => sessions.includes(hold.session), why);
  }

  /** After a new generation, or a new revision of a session: what was asked under another policy is asked anew. */
  voidStale(): void {
    const tenant = this.#parts.tenant();
    this.voidWhere(({ record, session }) => {
      const live = this.#parts.registry.find(session);
      return live === null || !isInForce(record.policy, tenant, live.policy);
    }, 'policy-changed');
  }

  /** After a change of who is known: one answer that does not count any more would keep all others from counting. */
  voidUncounted(): void {
    const given = { directory: this.#parts.people.directory, now: this.#at(0), excluded: [] };
    this.voidWhere((hold) => hold.state !== 'denied' && !areStillKnown(hold, given), 'people-changed');
  }

  /** In memory at once; the records follow. */
  voidWhere(matches: (hold: StoredHold) => boolean, why: string): void {
    for (const hold of this.#live.all().filter(matches)) this.#settleLater(hold, 'void', why);
  }

  #expire(): void {
    const now = this.#at(0);
    for (const hold of this.#live.all().filter(({ record }) => now >= record.expires)) {
      this.#settleLater(hold, 'expired', '');
    }
  }

  async #ask(order: CheckedOrder, intent: string, budget?: string): Promise<StoredHold> {
    this.#checkRoom(order.session);
    const before = await this.#parts.earlier.last(order);
    if (!(await this.#parts.payQuestion(this.#standing(order.session, order.policy).policy))) {
      throw refusal('hold-limit', 'the budget of questions to people is used up', ['cordon budgets']);
    }
    const session = this.#standing(order.session, order.policy);
    this.#checkRoom(order.session);
    const { clock, random, tenant, recorder, store } = this.#parts;
    const times = { nowMs: clock.now(), holdMs: limits.holdMs };
    const hold = createQuestion({ order, intent, session, tenant: tenant(), before, random, ...times, budget });
    const { record } = hold;
    // Counted before anything is written, so that many who ask at once find no room that is not there.
    this.#live.put(hold);
    await this.#turns.take(record.id, async () => {
      try {
        const data = {
          act: 'open',
          record: record as unknown as RecordValue,
          digest: digestHold(record),
          code: order.code,
        };
        const body = JSON.stringify({ record, view: hold.view });
        await recorder.record({ type: 'hold', session: hold.session, data, body }, 'disk');
        await store.insert(hold);
      } catch (error: unknown) {
        this.#live.remove(hold);
        throw error;
      }
    });
    if (this.#live.get(record.id) !== hold) throw settled(record.id);
    this.#parts.changed(hold);
    return hold;
  }

  #checkRoom(session: string): void {
    if (this.#live.countOf(session) >= limits.holdsPerSessionMax) {
      throw refusal('hold-limit', `${limits.holdsPerSessionMax} questions of this session wait for a person`);
    }
    if (this.#live.size >= limits.holdsMax) throw refusal('hold-limit', `${limits.holdsMax} questions wait for people`);
  }

  #openAnswer(hold: StoredHold, session: LiveSession, envelope: unknown): ApprovalRecord {
    const { directory } = this.#parts.people;
    const question = { hold: hold.record, directory, now: this.#at(0), excluded: this.excluded(session) };
    if (question.now >= hold.record.expires) throw uncounted('approval-expired');
    const record = openApproval(envelope, question);
    if (typeof record === 'string') throw uncounted(record);
    const before = hold.answers.map((answer) => openApproval(answer.envelope, question));
    // Who has said yes may still say no.
    const again = before.some((each) => typeof each !== 'string' && samePerson(each.person, record.person));
    if (again && record.verdict === 'approve') throw uncounted('approval-person-twice');
    return record;
  }

  async #recordAnswer(
    hold: StoredHold,
    session: LiveSession,
    { record, envelope, reason, flags }: Answer,
  ): Promise<void> {
    const { recorder, people, clock } = this.#parts;
    // Whom the agent acts for said yes to it: on one's own machine that is the rule, and it is said.
    const selfApproved = samePerson(record.person, people.local(session.policy.person));
    const answeredAfterMs = Math.max(0, clock.now() - Date.parse(hold.at));
    const data = { ...answeredData(hold, record), flags: [...flags], answeredAfterMs, selfApproved };
    const body = JSON.stringify({ envelope, reason });
    await recorder.record({ type: 'approval', session: hold.session, data, body }, 'disk');
  }

  #stateAfter(hold: StoredHold, session: LiveSession, { verdict }: ApprovalRecord): 'open' | 'approved' | 'denied' {
    if (verdict === 'deny') return 'denied';
    const { floor: flow, policy } = hold.record;
    return this.#check(hold, session, { flow, policy }).ok ? 'approved' : 'open';
  }

  #check(hold: StoredHold, session: LiveSession, now: Pick<HoldUse, 'flow' | 'policy'>): CheckedApprovals {
    if (hold.view === null) return { ok: false, code: 'approval-used' };
    const { flow, policy } = now;
    return checkApprovals({
      hold: hold.record,
      approvals: hold.answers.map(({ envelope }) => envelope),
      intent: hold.view.intent,
      ...{ flow, policy },
      now: this.#at(0),
      directory: this.#parts.people.directory,
      used: hold.used,
      excluded: this.excluded(session),
    });
  }

  /** Whose word counts for nothing of this session, where the tenant wants four eyes. */
  excluded(session: LiveSession): readonly Person[] {
    const { tenant, people, authors } = this.#parts;
    if (tenant().approvals?.fourEyes !== true) return [];
    return [people.local(session.policy.person), people.operator, ...authors()];
  }

  /** @throws CordonError `session-ended` `session-stopped` `hold-stale` */
  #standing(id: string, policy: HoldUse['policy']): LiveSession {
    return standingSession(this.#parts, id, policy);
  }

  #isStopped(id: string): boolean {
    const session = this.#parts.registry.find(id);
    return session !== null && this.#parts.stops.of(session).length > 0;
  }

  #settleLater(hold: StoredHold, state: 'void' | 'expired', reason: string): void {
    const what = `${state} of ${hold.record.id}`;
    this.#settle(hold, state, reason).catch((error: unknown) => this.#parts.log.fault(what, error));
  }

  /** INVARIANT: out of `#live` before anything is awaited, so nothing is let through while it is being written. */
  async #settle(hold: StoredHold, state: 'void' | 'expired', reason: string): Promise<void> {
    const { id } = hold.record;
    this.#live.remove(hold);
    // A no is settled already; it was only remembered.
    if (hold.state === 'denied') return;
    // Those who wait hear that it is over before the disk does: nothing comes of it any more.
    this.#parts.changed({ ...hold, state, reason, view: null });
    const { recorder, store, log } = this.#parts;
    const data = { act: state, hold: id, reason };
    await recorder.record({ type: 'hold', session: hold.session, data }, 'os').catch((error: unknown) => {
      log.fault(`${state} of ${id} not recorded`, error);
    });
    // Behind whatever is being written of it now.
    await this.#turns.take(id, async () => {
      const stored = await store.get(id);
      if (stored?.state !== 'open' && stored?.state !== 'approved') return;
      await store.update(id, stored.version, { state, reason, view: null });
    });
  }

  /** False: it was settled meanwhile, and stays so. */
  #replace(hold: StoredHold, by: StoredHold): boolean {
    if (this.#live.get(hold.record.id) !== hold) return false;
    if (by.state === 'used') this.#live.remove(hold);
    else this.#live.put(by);
    return true;
  }

  async #whySettled(id: string) {
    const stored = await this.#parts.store.get(id);
    if (stored === null) return refusal('not-found', `there is no hold ${id}`, ['cordon approvals']);
    const isOver = stored.state !== 'open' && stored.state !== 'approved';
    return settled(id, isOver ? stored.state : 'void', stored.reason);
  }

  #at(offsetMs: number): string {
    return new Date(this.#parts.clock.now() + offsetMs).toISOString();
  }
}

interface Answer {
  readonly record: ApprovalRecord;
  readonly envelope: unknown;
  readonly reason: string;
  readonly flags: readonly AnswerFlag[];
}
