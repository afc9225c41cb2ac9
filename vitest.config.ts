import { defineConfig } from 'vitest/config';

// Tests run from source; what starts processes (test/) uses the built programs, as a user would.
export default defineConfig({
  resolve: { conditions: ['cordon-source'] },
  ssr: { resolve: { conditions: ['cordon-source'], externalConditions: ['cordon-source'] } },
  test: {
    include: ['packages/*/test/**/*.test.ts', 'apps/*/test/**/*.test.ts', 'tools/**/*.test.ts'],
    setupFiles: ['tools/property-seed.ts'],
    testTimeout: 20_000,
    restoreMocks: true,
  },
});
