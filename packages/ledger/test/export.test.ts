import { describe, expect, it } from 'vitest';
import { openTree, readLeaves, toOcsf, toOtel } from '../src/index.ts';
import { act, decision, journalsOf, openTestJournal, temporary, testSigner, tickingClock, treeOf } from './rig.ts';

const signer = testSigner();

async function leavesOf() {
  const root = temporary();
  {
    await using cp = await openTestJournal(root, { writer: 'cp' });
    for (const [type, data] of [
      ['session.start', { phase: 'order', agent: 'fixer', program: 'sh' }],
      ['session.start', { phase: 'running' }],
      ['session.end', {}],
      ['admin', { act: 'people.add', by: 'ada' }],
      ['policy', { act: 'activate' }],
      ['kill', { id: 'stp_1', reason: 'odd' }],
      ['heartbeat', {}],
    ] as const) {
      await cp.append({ session: type.startsWith('session') ? 'ses_a' : null, seq: null, type, data }, 'os');
    }
    await using journal = await openTestJournal(root);
    await act(journal, 'att_1');
    await journal.append(decision('att_2', 'ses_a', 'deny'), 'os');
    await journal.appendTogether([decision('att_3')], 'os');
  }
  const options = { directory: treeOf(root), journals: journalsOf(root), signer, clock: tickingClock() };
  {
    await using tree = await openTree(options);
    await tree.integrate();
  }
  return [...readLeaves(treeOf(root), signer.verifierKey)];
}

/** What OCSF 1.5.0 requires of every event, and of each class that is written here. */
const required: Readonly<Record<number, readonly string[]>> = {
  0: [],
  1007: ['actor', 'device', 'process'],
  2004: ['finding_info'],
  3004: ['entity'],
  4002: ['http_request', 'dst_endpoint'],
};
const always = ['activity_id', 'category_uid', 'class_uid', 'metadata', 'severity_id', 'time', 'type_uid'];

describe('the export', () => {
  it('to OCSF has what each class requires, and says where the record is', async () => {
    const leaves = await leavesOf();
    const events = leaves.map((leaf) => toOcsf(leaf, { version: '1' }));
    expect(events).toHaveLength(12);
    for (const [i, event] of events.entries()) {
      const uid = Number(event['class_uid']);
      const withoutResource = leaves[i]?.entry.type === 'start' || leaves[i]?.entry.type === 'outcome';
      const wanted = (required[uid] ?? ['unknown class']).filter((name) => !withoutResource || name !== 'dst_endpoint');
      for (const member of [...always, ...wanted]) expect(event, `${uid} ${member}`).toHaveProperty(member);
      expect(event['type_uid']).toBe(uid * 100 + Number(event['activity_id']));
      expect(event['category_uid']).toBe(uid === 0 ? 0 : Math.floor(uid / 1000));
      expect(event['metadata']).toMatchObject({
        version: '1.5.0',
        uid: leaves[i]?.leaf,
        sequence: i,
        tenant_uid: 'local',
      });
      expect(Number.isSafeInteger(event['time'])).toBe(true);
    }
    const denied = events.find((event) => event['action_id'] === 2);
    expect(denied).toMatchObject({ class_uid: 4002, disposition_id: 2, dst_endpoint: { hostname: 'example.test' } });
    expect(new Set(events.map((event) => event['class_uid']))).toEqual(new Set([0, 1007, 2004, 3004, 4002]));
  });

  it('to OpenTelemetry has one span per decision, ended by its outcome', async () => {
    const leaves = await leavesOf();
    const spans = [...toOtel(leaves)].map(
      (line) =>
        (line as never as { resourceSpans: [{ scopeSpans: [{ spans: [Record<string, never>] }] }] }).resourceSpans[0]
          .scopeSpans[0].spans[0],
    );
    expect(spans).toHaveLength(3);
    for (const span of spans) {
      expect(span['traceId']).toMatch(/^[0-9a-f]{32}$/);
      expect(span['spanId']).toMatch(/^[0-9a-f]{16}$/);
      expect(span['startTimeUnixNano']).toMatch(/^[0-9]{19}$/);
      expect(BigInt(span['endTimeUnixNano'] ?? '') >= BigInt(span['startTimeUnixNano'] ?? '')).toBe(true);
      expect(JSON.stringify(span['attributes'])).toContain('cordon.leaf');
    }
    expect(spans.map((span) => (span['status'] as unknown as { code: number }).code).sort()).toEqual([0, 0, 2]);
    expect(JSON.stringify(spans)).toContain('cordon.end.leaf');
  });

  it('reads nothing under a head of another key', async () => {
    const root = temporary();
    expect(() => [...readLeaves(treeOf(root), signer.verifierKey)]).toThrow(/no checkpoint/);
    const made = { directory: treeOf(root), journals: journalsOf(root), signer, clock: tickingClock() };
    await (await openTree(made)).close();
    expect(() => [...readLeaves(treeOf(root), testSigner().verifierKey)]).toThrow(/signature/);
  });
});
