import { createSecretKey } from 'node:crypto';
import type { BodyKey, BodyKeys } from '../src/index.ts';

/** One key that a writer in another process and the test that reads after it both know. */
export const bodyKey: BodyKey = { id: 'k_ses_a', key: createSecretKey(Buffer.alloc(32, 7)) };

export const bodyKeys: BodyKeys = { find: (id) => (id === bodyKey.id ? bodyKey.key : 'missing') };
