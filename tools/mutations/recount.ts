import { type Mutation, mutationsOf } from './mutation.ts';

const recount = 'apps/verify/test/recount.test.ts';
const counters = 'apps/verify/test/counters.test.ts';
const fleet = 'packages/control-plane/test/fleet.test.ts';

/** What the verifier counts again, and what the control plane counts over all sessions. */
export const recountMutations: readonly Mutation[] = [
  ...mutationsOf(
    'packages/ledger/src/verify/labels/contexts.ts',
    [recount],
    [
      ['a context may rise', '!(isNoBetter(label, before) && keepsSources(label, before))', 'false'],
      ['a fall may be left out', "if (entry.data['before'] !== session.recorded)", 'if (false)'],
      ['a fall needs no cause', "if (cause !== 'start' && !this.#started.has(cause))", 'if (false)'],
      [
        'an allow by an older label',
        'else if (at !== session.chain.length - 1 && ctx !== now.digest)',
        'else if (false)',
      ],
      ['an allow by nobody’s label', 'if (isNoBetter(flowLevels(frame.entry, now), now))', 'if (true)'],
      ['flow facts of another label', 'if (same && (inbound', 'if (true || (inbound'],
      ['a session that began unlabelled', 'if (now === undefined) {', 'if (false) {'],
      ['an answer that nobody fell for', '(leased && now.confidentiality < 2)', 'false'],
      ['grants are not asked what answers yield', 'else if (now.integrity > due)', 'else if (false)'],
    ],
  ),
  ...mutationsOf(
    'packages/ledger/src/verify/labels/folders.ts',
    [recount],
    [
      [
        'a session may start better than its folder',
        'if (due === null || isNoBetter(start, due.label)) continue;',
        'continue;',
      ],
      ['a folder may rise', 'if (before != null && !isNoBetter(label, before.label))', 'if (false)'],
      ['a folder may forget', 'if (before === undefined)', 'if (false)'],
      [
        'a crash between record and store is a forgery',
        'const lost = known !== null && known.life < this.#life ? [known.before] : [];',
        'const lost: Folder[] = [];',
      ],
      ['a race is a forgery', 'const due = raced ? folder.before : folder;', 'const due = folder;'],
    ],
  ),
  ...mutationsOf(
    'packages/ledger/src/verify/labels/labels.ts',
    [recount],
    [
      ['a session may begin better than ordered', 'else if (!isNoBetter(begin, order.start))', 'else if (false)'],
      [
        'a folder need not hold what is written there',
        'if (order?.writes != null && (written',
        'if (false && (written',
      ],
    ],
  ),
  ...mutationsOf(
    'packages/ledger/src/verify/labels/label.ts',
    [recount],
    [['a label under another’s digest', "return digest === data['digest'] ? ", 'return true ? ']],
  ),
  ...mutationsOf(
    'packages/ledger/src/verify/labels/leak.ts',
    [recount],
    [['the leak meter may forget', 'return used < due ?', 'return false ?']],
  ),
  ...mutationsOf(
    'apps/verify/src/counters/denials.ts',
    [recount, counters],
    [
      ['a breaker is not counted again', 'return own < level ?', 'return false ?'],
      ['a trip may be left out', 'if (missing !== undefined) return', 'if (false) return'],
      ['what a breaker says need not be heeded', 'if (own === 2 || sink === 2 || ', 'if (false && '],
      ['more denials than there were', 'if (noted > total) return', 'if (false) return'],
      ['fewer denials than were counted', 'if (noted < least) return', 'if (false) return'],
      ['a reset does not open', 'this.#resets.push(noted);', ''],
      [
        'a crash opens what stays closed',
        'const stays = this.#resets.length === 0 && this.#closed.has(way);',
        'const stays = true;',
      ],
    ],
  ),
  ...mutationsOf(
    'apps/verify/src/counters/sinks.ts',
    [recount, counters],
    [
      ['a destination need not be closed', 'if (after.closedAt === null || this.lost) return null;', 'return null;'],
      ['a destination that opened counts on', ': healthy);\n    this.#told.add(resource);', ': healthy);'],
    ],
  ),
  ...mutationsOf(
    'apps/verify/src/counters/rates.ts',
    [recount],
    [['a rate is not taken again', 'else over ??= ', 'else over = null ?? over ?? null; void ']],
  ),
  ...mutationsOf(
    'apps/verify/src/counters/budgets.ts',
    [recount],
    [
      ['a budget is not summed up', 'return purse.total > allowed ?', 'return false ?'],
      ['what people raised is a lie', ' + (this.#raised.get(key) ?? 0)', ''],
      [
        'answers that pass behind a payment are a lie',
        'budget?.leak != null) ? 0 :',
        'budget?.leak != null) ? spent.passed :',
      ],
      [
        'slices over midnight are a lie',
        'return Math.abs(day - firstDay) + 2;',
        'return Math.abs(day - firstDay) + 1;',
      ],
    ],
  ),
  ...mutationsOf(
    'apps/verify/src/replay.ts',
    ['apps/verify/test/replay.test.ts'],
    [
      ['counters in clear are not compared', "if (!isSame(data['counters'], facts['counters'])) return 'facts';", ''],
      ['labels in clear are not compared', "&& !isSame(data['labels'], facts['labels'])) return", '&& false) return'],
      ['flow facts in clear may be left out', "if (told && data['flow'] === undefined) return 'facts';", ''],
      ['rates in clear are not compared', "!isSame(data['rates'] ?? [], rates)", 'false'],
    ],
  ),
  ...mutationsOf(
    'packages/control-plane/src/fleet/watch.ts',
    [fleet],
    [
      ['one agent is a fleet', ' && agents.size >= limits.fleetAgentsMin', ''],
      ['any time is within the window', 'if (Math.abs(at - then) >= limits.fleetWindowMs) denied.delete(each);', ''],
    ],
  ),
  ...mutationsOf(
    'packages/control-plane/src/fleet/fleet.ts',
    [fleet],
    [
      ['everybody is frozen, whatever policy says', "acts.says() === 'freeze' ? ", 'true ? '],
      ['what breakers and people hold up counts', 'if (!countsAsDenial(', 'if (false && !countsAsDenial('],
      ['an alarm before the start is lost', 'this.#early.push(alarm);', ''],
    ],
  ),
];
