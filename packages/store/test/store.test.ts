import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { openStore } from '../src/index.ts';
import { applicationId, migrations } from '../src/schema.ts';
import { codeOf, session, stop, temporary } from './rig.ts';

describe('openStore', () => {
  it('keeps what was written, and is private', async () => {
    const path = join(temporary(), 'cordon.db');
    const store = await openStore(path);
    await store.sessions.create(session('ses_a'));
    await store.stops.insert(stop('stp_a'));
    await store.settings.set('name', 'value');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(`${path}-wal`).mode & 0o777).toBe(0o600);
    await store.close();
    await store.close();
    await using again = await openStore(path);
    expect((await again.sessions.get('ses_a'))?.detail).toEqual({ salt: 'x' });
    expect(await again.stops.active()).toHaveLength(1);
    expect(await again.settings.get('name')).toBe('value');
    expect(await again.settings.get('other')).toBeNull();
  });

  it('is for one process alone, also from outside', async () => {
    const path = join(temporary(), 'cordon.db');
    const store = await openStore(path);
    expect(await codeOf(openStore(path))).toBe('store-locked');
    const child = spawn(process.execPath, ['--conditions=cordon-source', join(import.meta.dirname, 'holder.ts'), path]);
    const [status] = (await once(child, 'close')) as [number];
    expect(status).toBe(75);
    await store.close();
    await (await openStore(path)).close();
  });

  it('is free again the moment its holder is killed, and has lost nothing', async () => {
    const path = join(temporary(), 'cordon.db');
    const child = spawn(process.execPath, ['--conditions=cordon-source', join(import.meta.dirname, 'holder.ts'), path]);
    const [said] = (await once(child.stdout, 'data')) as [Buffer];
    expect(said.toString()).toBe('written\n');
    expect(await codeOf(openStore(path))).toBe('store-locked');
    child.kill('SIGKILL');
    await once(child, 'close');
    await using store = await openStore(path);
    expect(await store.stops.activeFor({ session: 'ses_a', agent: 'x' })).toHaveLength(1);
  });

  it('refuses what is no database, another program’s, a later version’s, and a damaged one', async () => {
    const folder = temporary();
    const text = join(folder, 'text.db');
    writeFileSync(text, 'this is no database, but it is longer than a header of one would be'.repeat(20));
    expect(await codeOf(openStore(text))).toBe('store-damaged');
    const foreign = join(folder, 'foreign.db');
    const database = new DatabaseSync(foreign);
    database.exec('CREATE TABLE theirs (x); PRAGMA user_version = 1');
    database.close();
    expect(await codeOf(openStore(foreign))).toBe('store-damaged');
    const later = join(folder, 'later.db');
    await (await openStore(later)).close();
    const changed = new DatabaseSync(later);
    changed.exec('PRAGMA user_version = 1000');
    changed.close();
    expect(await codeOf(openStore(later))).toBe('store-version');
  });

  it('brings a database of the first version up to date, and has the ledger read again', async () => {
    const file = join(temporary(), 'old.db');
    const old = new DatabaseSync(file);
    old.exec(migrations[0] ?? '');
    old.exec(`PRAGMA user_version = 1; PRAGMA application_id = ${applicationId}`);
    const texts = "'[]', '/', 'direct', '2026-01-01T00:00:00.000Z', NULL, 'null', 'null', '[]', '{}', 1, 0";
    old.exec(`INSERT INTO sessions VALUES (1, 'ses_a', 1, 'local', 'a', 'p', 'me', 'ended', ${texts})`);
    const where = "'ses_a', 'a', '2026-01-01T00:00:00.000Z', 'http.request', 'r', 'allow', 'allowed', '{}'";
    old.exec(`INSERT INTO decisions VALUES (1, 'gw', 1, 1, 1, 0, 'att_1', ${where}, 200, 70, 5)`);
    old.exec(`INSERT INTO decisions VALUES (2, 'gw', 2, 2, 1, 9, 'att_2', ${where}, 200, 30, NULL)`);
    old.exec("INSERT INTO settings VALUES ('ledger.indexed', '3')");
    old.close();
    await using store = await openStore(file);
    expect((await store.sessions.get('ses_a'))?.bytes).toEqual({ in: 100, out: 5 });
    expect(await store.decisions.get('att_1')).toMatchObject({ bytesIn: 70, result: null });
    expect(await store.settings.get('ledger.indexed')).toBeNull();
    expect((await store.refusals.list()).items).toEqual([]);
  });
});
