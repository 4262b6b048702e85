import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

const shared = {
  // Patience, for a machine that is ten times slower than ours: only a test that fails needs it.
  testTimeout: 120_000,
  hookTimeout: 120_000,
  // Files wait for servers for half of their time. One worker, which is what two cores get unless told, leaves them idle;
  // more than eight would need more connections than the servers of the suites give.
  maxWorkers: Math.min(availableParallelism() + 1, 8),
}

/** Several nodes under load in each test, and five tests at once: each of these files fills the machine. */
const LOAD = ['tests/faults/*.e2e.test.ts', 'tests/e2e/drill.e2e.test.ts']

/**
 * `unit` needs nothing; `pg15` and `pg18` run the same suites on two servers; `redis` starts its own; `e2e` starts whole nodes.
 * `load` does so too, and its files run one at a time when all others are done.
 */
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
          exclude: LOAD,
          testTimeout: 300_000,
          globalSetup: ['tests/setup/postgres-18.ts'],
        },
      },
      {
        test: {
          ...shared,
          name: 'load',
          include: LOAD,
          testTimeout: 300_000,
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
          globalSetup: ['tests/setup/postgres-18.ts'],
        },
      },
    ],
  },
})
