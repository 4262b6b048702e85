/** The background sealer: when it works, when it leaves others alone, and what its failure costs. */
import { beforeEach, expect, test } from 'vitest'
import { createAuditor } from '../../src/audit/auditor.ts'
import { RANGE } from '../../src/audit/seal-log.ts'
import { AppError } from '../../src/core/errors.ts'
import type { EventStore, SealedLog } from '../../src/core/ports.ts'
import { createMemoryEventStore, createMemoryLog } from '../../src/eventstore/memory-event-store.ts'
import { createMemorySealedLog } from '../../src/eventstore/memory-sealed-log.ts'
import { silentLogger } from '../../src/logging.ts'
import { appendNotes } from '../support/events.ts'
import { createManualClock, type ManualClock } from '../support/manual-clock.ts'

let clock: ManualClock
let store: EventStore
let sealedLog: SealedLog
let leases: number
beforeEach(() => {
  clock = createManualClock()
  const log = createMemoryLog()
  store = createMemoryEventStore({ node: 'test', clock, log })
  sealedLog = createMemorySealedLog(log)
  leases = 0
})

function auditor(changes: Partial<SealedLog> = {}, mine = true) {
  return createAuditor({
    sealedLog: { ...sealedLog, ...changes },
    clock,
    log: silentLogger,
    everyMs: 1_000,
    withLease: async (_name, _ttl, work) => {
      leases++
      return mine ? work(undefined, new AbortController().signal) : undefined
    },
  })
}

/** Lets what the clock set off come to its next callback. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve()
}

async function tick(): Promise<void> {
  clock.advance(1_000)
  await settle()
}

test('seals what is new at each look, and asks for no lease where there is nothing', async () => {
  const sealer = auditor()
  await sealer.start()
  await tick()
  expect(leases).toBe(0)
  await appendNotes(store, 3)
  expect(await sealer.status()).toMatchObject({ head: 3, sealed: 0, seals: 0, sealedAt: null })
  await tick()
  expect(await sealer.status()).toMatchObject({
    sealed: 3,
    seals: 1,
    sealedAt: '2026-01-01T00:00:02.000Z',
    failing: null,
  })
  await tick()
  await tick()
  expect(leases).toBe(1)
  expect(await sealer.seals(0, 10)).toMatchObject([{ number: 1, first: 1, last: 3 }])
  expect((await sealer.verify()).ok).toBe(true)
  await sealer.stop()
  expect(clock.pending).toBe(0)
})

test('leaves the work to the node that has the lease', async () => {
  const sealer = auditor({}, false)
  await sealer.start()
  await appendNotes(store, 1)
  await tick()
  expect([leases, (await sealer.status()).seals]).toEqual([1, 0])
  await sealer.stop()
})

test('pauses between full ranges, and a stop does not wait for the rest', async () => {
  await appendNotes(store, 3 * RANGE)
  const sealer = auditor()
  await sealer.start()
  await tick()
  expect((await sealer.status()).seals).toBe(1)
  clock.runNext()
  await settle()
  expect((await sealer.status()).seals).toBe(2)
  await sealer.stop()
  expect(await sealer.status()).toMatchObject({ seals: 2, sealed: 2 * RANGE })
  const next = auditor()
  await next.start()
  await tick()
  expect(await next.status()).toMatchObject({ seals: 3, sealed: 3 * RANGE })
  await next.stop()
  expect((await next.verify()).ok).toBe(true)
})

test('a failure is shown and tried again', async () => {
  let away = true
  const sealer = auditor({
    addSeal: async seal => {
      if (away) throw new AppError('log_unavailable', 'away')
      return sealedLog.addSeal(seal)
    },
  })
  await sealer.start()
  await appendNotes(store, 1)
  await tick()
  expect(await sealer.status()).toMatchObject({ seals: 0, failing: 'log_unavailable' })
  away = false
  await tick()
  expect(await sealer.status()).toMatchObject({ seals: 1, failing: null })
  await sealer.stop()
})

test('a log that lost its sealed end is not sealed over', async () => {
  await appendNotes(store, 3)
  const sealer = auditor()
  await sealer.start()
  await tick()
  await sealer.stop()
  const shorter = auditor({ head: async () => 2 })
  await shorter.start()
  await tick()
  expect(await shorter.status()).toMatchObject({ seals: 1, failing: 'audit_broken' })
  await shorter.stop()
})
