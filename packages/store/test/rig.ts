import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CordonError } from '@cordon/protocol';
import { afterEach } from 'vitest';
import type { IndexedDecision, SessionRecord, StopRecord } from '../src/index.ts';

const made: string[] = [];
afterEach(() => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true });
});

export function temporary(): string {
  const path = mkdtempSync(join(tmpdir(), 'cordon-store-'));
  made.push(path);
  return path;
}

export const at = '2026-01-01T00:00:00.000Z';

export function session(id: string, change: Partial<SessionRecord> = {}): SessionRecord {
  return {
    id,
    tenant: 'local',
    agent: 'claude',
    profile: 'claude',
    person: 'local:root',
    state: 'running',
    command: ['/bin/true', "it's \u0000 quoted"],
    workspace: '/w',
    workspaceMode: 'direct',
    startedAt: at,
    endedAt: null,
    sandbox: null,
    exit: null,
    grants: [],
    detail: { salt: 'x' },
    ...change,
  };
}

export function stop(id: string, change: Partial<StopRecord> = {}): StopRecord {
  return { id, scope: { all: true }, strength: 'freeze', reason: '', at, by: 'local:root', liftedAt: null, ...change };
}

export function decision(wseq: number, change: Partial<IndexedDecision> = {}): IndexedDecision {
  return {
    writer: 'gw',
    wseq,
    index: wseq,
    segment: 1,
    offset: wseq * 100,
    attempt: `att_${wseq}`,
    session: 'ses_a',
    agent: 'claude',
    at,
    action: 'http.request',
    resource: 'https://example.test',
    outcome: 'allow',
    code: 'allowed',
    data: { attempt: `att_${wseq}` },
    status: null,
    bytesIn: null,
    bytesOut: null,
    result: null,
    ...change,
  };
}

export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'no error';
  } catch (error) {
    return (error as CordonError).code;
  }
}
