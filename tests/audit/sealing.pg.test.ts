/** Sealing on a real log: what a sealed log promises, beside appends, and over several nodes. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Ownership } from '../../src/actors/ownership.ts'
import { createAuditor } from '../../src/audit/auditor.ts'
import { sealLog } from '../../src/audit/seal-log.ts'
import { verifyLog } from '../../src/audit/verify.ts'
import { createPgEventStore } from '../../src/eventstore/pg-event-store.ts'
import { createPgSealedLog } from '../../src/eventstore/sealed-log.ts'
import { silentLogger } from '../../src/logging.ts'
import { systemClock } from '../../src/system-clock.ts'
import { createTestDatabase } from '../support/database.ts'
import { appendNotes } from '../support/events.ts'
import { createManualClock } from '../support/manual-clock.ts'
import { sealedLogConformance } from './sealed-log.conformance.ts'

async function openSealedLog() {
  const database = await createTestDatabase()
  const store = await createPgEventStore({ url: database.url, node: 'test', clock: systemClock, log: silentLogger })
  return {
    store,
    log: createPgSealedLog(store.pool),
    close: async () => {
      await store.close()
      await database.drop()
    },
  }
}

sealedLogConformance('postgres', openSealedLog)

describe('sealing beside other work', () => {
  let opened: Awaited<ReturnType<typeof openSealedLog>>
  beforeEach(async () => {
    opened = await openSealedLog()
  })
  afterEach(() => opened.close())

  test('concurrent appends and two sealers at once: each event lies under one seal', async () => {
    const { store, log } = opened
    const seal = () => sealLog({ log, clock: systemClock })
    let writing = true
    const sealers = [1, 2].map(async () => {
      while (writing) await seal()
    })
    await Promise.all(Array.from({ length: 8 }, () => appendNotes(store, 50)))
    writing = false
    await Promise.all(sealers)
    await seal()
    const report = await verifyLog({ log })
    expect(report).toMatchObject({ ok: true, events: 400, unsealed: 0 })
    const { rows } = await store.pool.query(
      'select count(*)::int as seals, max(number)::int as last, sum(events)::int as events from audit_seals',
    )
    expect(rows).toEqual([{ seals: report.seals, last: report.seals, events: 400 }])
  })

  test('of two nodes one seals; after it was killed the other goes on', async () => {
    const { store, log } = opened
    const nodes = ['a', 'b'].map(holder => {
      const clock = createManualClock()
      const ownership = new Ownership({ store, clock: systemClock, log: silentLogger, holder })
      let reached = () => {}
      let goOn = () => {}
      const atWork = new Promise<void>(resolve => {
        reached = resolve
      })
      const gate = new Promise<void>(resolve => {
        goOn = resolve
      })
      const auditor = createAuditor({
        sealedLog: {
          ...log,
          addSeal: async added => {
            reached()
            await gate
            return log.addSeal(added)
          },
        },
        clock,
        log: silentLogger,
        everyMs: 1_000,
        withLease: (name, ttlMs, work) => ownership.withLease(name, ttlMs, work),
      })
      return { clock, auditor, atWork, goOn }
    })
    const [a, b] = nodes
    if (a === undefined || b === undefined) throw new Error('two nodes')
    await appendNotes(store, 5)
    await a.auditor.start()
    a.clock.advance(1_000)
    await a.atWork
    await b.auditor.start()
    b.clock.advance(1_000)
    b.goOn()
    // What b looked for has come to its end: it found the lease taken.
    await b.auditor.stop()
    expect(await b.auditor.status()).toMatchObject({ seals: 0, failing: null })
    a.goOn()
    await a.auditor.stop()
    expect(await a.auditor.status()).toMatchObject({ seals: 1, sealed: 5 })
  })
})
