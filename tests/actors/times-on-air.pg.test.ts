/** Times on air shorter than a millisecond, on a clock that stands still: none takes the broadcast of another. */
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createNode, type RuntimeNode } from '../../src/app.ts'
import type { LogEvent } from '../../src/core/event.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { createPgEventStore } from '../../src/eventstore/pg-event-store.ts'
import { importLegacy } from '../../src/legacy/import-legacy.ts'
import { silentLogger } from '../../src/logging.ts'
import type { Effect } from '../../src/machines/define.ts'
import { entities } from '../../src/machines/index.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { populateLegacyDatabase } from '../support/legacy-database.ts'
import { createManualClock } from '../support/manual-clock.ts'

/** Holds each effect of streams until it is let go by the name of effect and time on air. */
class Gate {
  readonly #held = new Map<string, ReturnType<typeof Promise.withResolvers<void>>>()
  readonly #done = new Map<string, ReturnType<typeof Promise.withResolvers<void>>>()
  #isOpen = false

  readonly entities = entities.map(entity =>
    entity.type === 'stream'
      ? { ...entity, effects: Object.fromEntries(Object.entries(entity.effects).map(each => this.#gated(...each))) }
      : entity,
  )

  #gated(src: string, run: Effect): readonly [string, Effect] {
    return [
      src,
      async context => {
        const name = `${src}:${context.input['airing']}`
        if (!this.#isOpen) await of(this.#held, name).promise
        const outcome = await run(context)
        of(this.#done, name).resolve()
        return outcome
      },
    ]
  }

  open(): void {
    this.#isOpen = true
    for (const { resolve } of this.#held.values()) resolve()
  }

  /** Resolves when its commands have been answered. */
  async pass(name: string): Promise<void> {
    of(this.#held, name).resolve()
    await of(this.#done, name).promise
  }
}

function of<Value>(map: Map<string, PromiseWithResolvers<Value>>, name: string): PromiseWithResolvers<Value> {
  const value = map.get(name) ?? Promise.withResolvers<Value>()
  map.set(name, value)
  return value
}

const AT = '2026-01-01T00:00:00.000Z'
let database: TestDatabase
let gate: Gate
let node: RuntimeNode | undefined
let client: pg.Client
beforeEach(() => {
  gate = new Gate()
})
afterEach(async () => {
  gate.open()
  await node?.close()
  node = undefined
  await client.end()
  await database.drop()
})

async function open(options: { empty?: boolean } = {}): Promise<void> {
  database = await createTestDatabase(options)
  client = new pg.Client({ connectionString: database.url })
  await client.connect()
}

function start(): Promise<RuntimeNode> {
  return createNode({
    database: database.url,
    name: 'test',
    log: silentLogger,
    clock: createManualClock(AT),
    entities: gate.entities,
  })
}

async function burst(on: RuntimeNode, id: number, ...events: readonly JsonObject[]): Promise<void> {
  const results = await Promise.all(events.map(event => on.actor('stream', id).send(event as { type: string })))
  expect(results.map(({ ok }) => ok)).toEqual(events.map(() => true))
}

const BURST = [{ type: 'stream.started' }, { type: 'stream.stopped', bytesSent: 1_000 }, { type: 'stream.started' }]
const LAST = { type: 'stream.stopped', bytesSent: 2_000 }

describe('start, stop and start again in one burst', () => {
  const [open1, close1, open2, close2] = [
    `openBroadcast:${AT}`,
    `closeBroadcast:${AT}`,
    `openBroadcast:${AT}#1`,
    `closeBroadcast:${AT}#1`,
  ] as const

  async function madeOf(on: RuntimeNode): Promise<number> {
    const user = await on.create('user', {
      type: 'user.registered',
      username: 'ada',
      email: 'ada@example.org',
      passwordHash: 'x',
    })
    const made = await on.create('stream', {
      type: 'stream.created',
      userId: user.actor.id,
      name: 'Short',
      streamKey: 'key',
    })
    return made.actor.id
  }

  async function rows(on: RuntimeNode): Promise<readonly JsonObject[]> {
    await on.projections.caughtUp()
    expect(await on.projections.failures()).toEqual([])
    const found = await client.query(
      `select id, session_end is not null as ended, total_bytes_sent::int as bytes from stream_sessions order by bytes, id`,
    )
    return found.rows
  }

  test('two broadcasts, the first ended, the second that of the stream; at the end both are, with usage of each', async () => {
    await open()
    gate.open()
    node = await start()
    const id = await madeOf(node)
    await burst(node, id, ...BURST)
    await node.actors.effectsIdle()
    const [live, ended] = await rows(node)
    expect([live, ended]).toMatchObject([
      { ended: false, bytes: 0 },
      { ended: true, bytes: 1_000 },
    ])
    expect((await node.actor('stream', id).state()).context).toMatchObject({ broadcastId: live?.['id'], again: 1 })

    await burst(node, id, LAST)
    await node.actors.effectsIdle()
    expect(await rows(node)).toEqual([
      { ...ended, bytes: 1_000 },
      { ...live, ended: true, bytes: 2_000 },
    ])
    const usage = await client.query(
      'select event_type as of, bytes_transferred::int as bytes from usage_logs order by 1 desc, 2',
    )
    expect(usage.rows).toEqual([
      { of: 'stream_start', bytes: 0 },
      { of: 'stream_start', bytes: 0 },
      { of: 'stream_end', bytes: 1_000 },
      { of: 'stream_end', bytes: 2_000 },
    ])
    expect((await client.query("select from timers where kind = 'effect'")).rowCount).toBe(0)
  })

  // All orders are tried in tests/machines/effects.test.ts.
  test.each([
    ['backwards', [close2, open2, close1, open1]],
    ['starts first', [open2, open1, close1, close2]],
    ['the second time first', [open2, close2, open1, close1]],
  ] as const)('effects that run late: %s', async (_, order) => {
    await open()
    node = await start()
    const id = await madeOf(node)
    await burst(node, id, ...BURST, LAST)
    for (const name of order) await gate.pass(name)
    await node.actors.effectsIdle()
    expect(await rows(node)).toMatchObject([
      { ended: true, bytes: 1_000 },
      { ended: true, bytes: 2_000 },
    ])
    expect((await client.query("select from timers where kind = 'effect'")).rowCount).toBe(0)
  })
})

describe('a stream that was live in 24.2', () => {
  beforeEach(async () => {
    await open({ empty: true })
    await populateLegacyDatabase(database.url)
  })

  async function adopted(): Promise<RuntimeNode> {
    node = await start()
    const clock = createManualClock(AT)
    const store = await createPgEventStore({ url: database.url, node: 'import', clock, log: silentLogger })
    await importLegacy({ pool: store.pool, entities, clock, store })
    await store.close()
    return node
  }

  async function broadcasts(on: RuntimeNode): Promise<readonly JsonObject[]> {
    await on.projections.caughtUp()
    const found = await client.query(
      'select id > 3 as new, session_end is not null as ended from stream_sessions where stream_id = 2 order by id',
    )
    return found.rows
  }

  test('ends the broadcast of 24.2 and leaves alone that of the next time on air, also where that is open by then', async () => {
    const on = await adopted()
    await burst(on, 2, { type: 'stream.stopped' }, { type: 'stream.started' })
    await gate.pass(`openBroadcast:${AT}`)
    expect(await broadcasts(on)).toEqual([
      { new: false, ended: false },
      { new: true, ended: false },
    ])
    await gate.pass('closeBroadcast:2024-01-02T00:00:00.000001Z')
    await on.actors.effectsIdle()
    expect(await broadcasts(on)).toEqual([
      { new: false, ended: true },
      { new: true, ended: false },
    ])
  })

  test('with neither a start nor a broadcast gets one of its own, that of the next time on air is another', async () => {
    await client.query('update streams set started_at = null where id = 2')
    await client.query('delete from stream_sessions where stream_id = 2')
    const on = await adopted()
    await burst(on, 2, { type: 'stream.stopped' }, { type: 'stream.started' })
    await gate.pass(`openBroadcast:${AT}`)
    await gate.pass('closeBroadcast:')
    await on.actors.effectsIdle()
    expect((await broadcasts(on)).map(({ ended }) => ended)).toEqual([false, true])
    const log: LogEvent[] = (await Array.fromAsync(on.actor('stream', 2).history())).flat()
    expect(log.at(-1)?.type).toBe('stream.broadcast.opened')
  })
})
