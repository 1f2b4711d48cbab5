import { defineConfig } from 'vitest/config'
import { LongestFirst } from './test/setup/longest-first.js'

export default defineConfig({
  define: { PAGODA_VERSION: JSON.stringify('test') },
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts', 'bench/**/*.test.ts'],
    globalSetup: ['test/setup/global.ts'],
    testTimeout: 180_000,
    // What one test has translated is nothing to another.
    env: { PAGODA_CODE_CACHE: 'off' },
    hookTimeout: 180_000,
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
  },
})
