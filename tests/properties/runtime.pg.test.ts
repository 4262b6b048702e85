/** The whole runtime against a model of it: whatever clients do, and whenever nodes are killed, both agree. */
import fc from 'fast-check'
import { test } from 'vitest'
import { checkEnd } from './checks.ts'
import { Client } from './client.ts'
import { Installation } from './installation.ts'
import { steps } from './steps.ts'

const RUNS = Number(process.env['ROOTSTREAM_PROPERTY_RUNS'] ?? 12)
if (!(RUNS >= 1)) throw new Error('ROOTSTREAM_PROPERTY_RUNS is a number of histories, at least 1')
/** Of a run, at the most, on a busy machine. */
const RUN_MS = 15_000
const SHRINKING_MS = 240_000

test(
  'a history of commands and crashes',
  async () => {
    await fc.assert(
      fc.asyncProperty(steps(), async drawn => {
        const real = await Installation.open()
        try {
          const client = new Client(real.clock)
          await fc.asyncModelRun(() => ({ model: client, real }), drawn)
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
