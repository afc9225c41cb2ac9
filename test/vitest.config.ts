import { defineConfig } from 'vitest/config';

// Tests of the whole, from outside: built programs, real kernel, real processes.
export default defineConfig({
  resolve: { conditions: ['cordon-source'] },
  ssr: { resolve: { conditions: ['cordon-source'], externalConditions: ['cordon-source'] } },
  test: {
    root: import.meta.dirname,
    include: ['escape/**/*.test.ts', 'chaos/**/*.test.ts', 'system/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    pool: 'forks',
  },
});
