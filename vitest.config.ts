import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 300_000,
    // Two cores: files in turn, because most of them start real services that would share the cores anyway.
    fileParallelism: false,
    pool: 'forks',
  },
});
