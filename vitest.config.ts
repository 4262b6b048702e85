import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

const shared = {
  testTimeout: 30_000,
  hookTimeout: 60_000,
  // Files mostly wait for servers. One worker, which is what two cores get unless told, leaves them idle.
  maxWorkers: availableParallelism() + 1,
}

/** `unit` needs nothing; `pg15` and `pg18` run the same suites on two servers; `redis` starts its own; `e2e` starts whole nodes. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...shared,
          name: 'unit',
          include: ['tests/**/*.test.ts'],
          exclude: ['tests/**/*.{pg,redis,e2e}.test.ts'],
        },
      },
      {
        test: {
          ...shared,
          name: 'pg15',
          include: ['tests/**/*.pg.test.ts'],
          globalSetup: ['tests/setup/postgres-15.ts'],
        },
      },
      {
        test: {
          ...shared,
          name: 'pg18',
          include: ['tests/**/*.pg.test.ts'],
          globalSetup: ['tests/setup/postgres-18.ts'],
        },
      },
      {
        test: {
          ...shared,
          name: 'redis',
          include: ['tests/**/*.redis.test.ts'],
          globalSetup: ['tests/setup/postgres-18.ts'],
        },
      },
      {
        test: {
          ...shared,
          name: 'e2e',
          include: ['tests/**/*.e2e.test.ts'],
          testTimeout: 300_000,
          maxWorkers: 1,
          globalSetup: ['tests/setup/postgres-18.ts'],
        },
      },
    ],
  },
})
