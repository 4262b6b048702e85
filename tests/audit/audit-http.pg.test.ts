/** Seals over HTTP, and what the health report says of them. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { summary } from '../../src/audit/digest.ts'
import { sealLog } from '../../src/audit/seal-log.ts'
import { createPool, type Pool } from '../../src/eventstore/pool.ts'
import { createPgSealedLog } from '../../src/eventstore/sealed-log.ts'
import { silentLogger } from '../../src/logging.ts'
import { systemClock } from '../../src/system-clock.ts'
import { appendNotes } from '../support/events.ts'
import { startRuntime, type TestRuntime } from '../support/runtime.ts'

let runtime: TestRuntime
let pool: Pool
beforeEach(async () => {
  runtime = await startRuntime()
  pool = createPool({ url: runtime.database.url, log: silentLogger, size: 1 })
})
afterEach(async () => {
  await pool.end()
  await runtime.stop()
})

const get = async (address: string) => (await runtime.client.request('GET', address)).body

test('seals in pages, without their marks; health tells how far they are', async () => {
  const log = createPgSealedLog(pool)
  expect(await get('/v1/audit/seals')).toEqual({ seals: [] })
  for (let round = 0; round < 3; round++) {
    await appendNotes(runtime.node.log, 2)
    await sealLog({ log, clock: systemClock })
  }
  const [first, second, third] = (await log.seals(0, 3)).map(summary)
  expect(await get('/v1/audit/seals')).toEqual({ seals: [first, second, third] })
  expect(await get('/v1/audit/seals?limit=2')).toEqual({ seals: [first, second], next: 2 })
  expect(await get('/v1/audit/seals?limit=2&after=2')).toEqual({ seals: [third] })
  expect(await get('/v1/audit/seals?limit=3')).toEqual({ seals: [first, second, third] })
  expect((await runtime.client.request('GET', '/v1/audit/seals?after=x')).status).toBe(400)
  expect(await get('/health')).toMatchObject({
    components: {
      audit: { status: 'ok', detail: { seals: 3, sealed: third?.last, head: third?.last, failing: null } },
    },
  })
  expect(await runtime.node.audit.verify()).toMatchObject({ ok: true, seals: 3, events: 6 })
})
