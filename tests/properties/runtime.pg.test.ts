/** The whole runtime against a model of it: whatever clients do, and whenever nodes are killed, both agree. */
import fc from 'fast-check'
import { test } from 'vitest'
import { checkEnd } from './checks.ts'
import { Client } from './client.ts'
import { Installation } from './installation.ts'
import { stepsOf } from './steps.ts'

const RUNS = Number(process.env['ROOTSTREAM_PROPERTY_RUNS'] ?? 12)
const MAX_STEPS = 30
/** Of a run, at the most, on a busy machine. */
const RUN_MS = 15_000
const SHRINKING_MS = 240_000

test(
  'a history of commands and crashes',
  async () => {
    await fc.assert(
      fc.asyncProperty(stepsOf(MAX_STEPS), async steps => {
        const real = await Installation.open()
        try {
          const client = new Client()
          await fc.asyncModelRun(() => ({ model: client, real }), steps)
          await checkEnd(client, real)
        } finally {
          await real.close()
        }
      }),
      { numRuns: RUNS, interruptAfterTimeLimit: RUNS * RUN_MS + SHRINKING_MS - 20_000 },
    )
  },
  RUNS * RUN_MS + SHRINKING_MS,
)
