import { writeSync } from 'node:fs';
import { isCordonError } from '@cordon/protocol';
import { openStore } from '../src/index.ts';

// A child of store.test.ts: holds the store until it is killed, or leaves with 75 when somebody else does.
const [path = ''] = process.argv.slice(2);
try {
  const store = await openStore(path);
  await store.stops.insert({
    id: 'stp_a',
    scope: { session: 'ses_a' },
    strength: 'kill',
    reason: '',
    at: '2026-01-01T00:00:00.000Z',
    by: 'test',
    liftedAt: null,
  });
  writeSync(1, 'written\n');
  setInterval(() => store, 1000);
} catch (error) {
  process.exitCode = isCordonError(error) && error.code === 'store-locked' ? 75 : 1;
}
