/** The drill of `npm run drill`, held to its result. */
import { expect, test } from 'vitest'
import { runDrill } from './drill.ts'

test('24.2 import, a thousand streams over HTTP, kill -9 in the middle: nothing lost, doubled, drifted or missing', async () => {
  const report = await runDrill({ streams: 1_000, legacyUsers: 200, say: () => {} })
  expect(report).toMatchObject({
    acknowledged: report.expected,
    lostOrDoubled: [],
    gaps: [],
    differentTables: [],
    drift: 0,
    missingInAudit: [],
    changedRows: [],
  })
  expect(report.imported).toBeGreaterThan(400)
  // The kill was felt: otherwise it proved nothing.
  expect(report.retries).toBeGreaterThan(0)
}, 600_000)
