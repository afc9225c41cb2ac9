import { defineConfig } from 'vitest/config';

// Real, unmodified agents in the built product. One after the other: each brings its own daemon and its own outside world.
export default defineConfig({
  resolve: { conditions: ['cordon-source'] },
  ssr: { resolve: { conditions: ['cordon-source'], externalConditions: ['cordon-source'] } },
  test: {
    root: import.meta.dirname,
    include: ['agents/**/*.test.ts'],
    testTimeout: 180_000,
    hookTimeout: 300_000,
    fileParallelism: false,
    pool: 'forks',
  },
});
