/** What befalls a node beside crashes: clocks set back, many starts at once, snapshots spoilt, code that forgot its history, rows a table refuses. */
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { checkHistory } from '../../src/actors/replay.ts'
import { createNode, type RuntimeNode } from '../../src/app.ts'
import type { Clock } from '../../src/core/ports.ts'
import type { CommandResult } from '../../src/core/result.ts'
import { silentLogger } from '../../src/logging.ts'
import { entities } from '../../src/machines/index.ts'
import type { NodeOptions } from '../../src/node-options.ts'
import { rebuild } from '../../src/projections/rebuild.ts'
import { systemClock } from '../../src/system-clock.ts'
import { bookingEntity } from '../support/booking-entity.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { openedStore } from '../support/opened-store.ts'
import { createRecordingLog } from '../support/recording-log.ts'
import { TEST_KEYS } from '../support/test-keys.ts'
import { eventually } from '../sync/eventually.ts'
import { doorEntity } from './door-entity.ts'

const HOUR_MS = 3_600_000

let database: TestDatabase
let client: pg.Client
const nodes: RuntimeNode[] = []
beforeEach(async () => {
  database = await createTestDatabase()
  client = new pg.Client({ connectionString: database.url })
  await client.connect()
})
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.close()
  await client.end()
  await database.drop()
})

async function start(options: NodeOptions = {}): Promise<RuntimeNode> {
  const name = `node-${nodes.length}`
  const node = await createNode({ database: database.url, name, keys: TEST_KEYS, log: silentLogger, ...options })
  nodes.push(node)
  return node
}

function accepted(result: CommandResult) {
  if (!result.ok || result.tentative) throw new Error(`refused: ${JSON.stringify(result)}`)
  return result
}

const registered = (name: string) => ({
  type: 'user.registered',
  username: name,
  email: `${name}@example.org`,
  passwordHash: 'x',
})

describe('a clock that is set back by hours', () => {
  let offset: number
  const clock: Clock = {
    now: () => systemClock.now() + offset,
    after: (ms, callback) => systemClock.after(ms, callback),
  }
  beforeEach(() => {
    offset = 0
  })

  test('the times of an actor never go back, and its timers fire once', async () => {
    const node = await start({ clock, entities: [bookingEntity()] })
    const booking = node.actor('booking', 1)
    const expiresAt = new Date(clock.now() + HOUR_MS).toISOString()
    accepted(await booking.send({ type: 'booking.made', name: 'table', seats: 1, expiresAt }))
    offset = -3 * HOUR_MS
    for (let seats = 2; seats <= 5; seats++) accepted(await booking.send({ type: 'booking.changed', seats }))
    offset = HOUR_MS + 1_000
    await eventually(async () => expect((await booking.state()).state).toBe('expired'))
    // Back before the timer was due, and past it again: what has fired is gone.
    offset = -3 * HOUR_MS
    accepted(await node.actor('booking', 2).send({ type: 'booking.made', name: 'other', seats: 1 }))
    offset = 2 * HOUR_MS
    const third = { type: 'booking.made', name: 'third', seats: 1, expiresAt: new Date(clock.now() + 1).toISOString() }
    accepted(await node.actor('booking', 3).send(third))
    await eventually(async () => expect((await node.actor('booking', 3).state()).state).toBe('expired'))
    const events = (await Array.fromAsync(booking.history())).flat()
    expect(events.map(({ type }) => type)).toEqual([
      'booking.made',
      ...Array(4).fill('booking.changed'),
      'booking.expired',
    ])
    const times = events.map(({ at }) => at)
    expect(times).toEqual([...times].sort())
  })

  test('an owner whose lease has passed on is refused, however early it believes it is', async () => {
    const single = [bookingEntity(undefined, { singleOwner: true })]
    const [owner, next] = [await start({ clock, entities: single }), await start({ entities: single })]
    accepted(await owner.actor('booking', 1).send({ type: 'booking.made', name: 'table', seats: 1 }))
    offset = -3 * HOUR_MS
    await expect(next.actor('booking', 1).send({ type: 'booking.changed', seats: 2 })).rejects.toMatchObject({
      code: 'fenced',
    })
    // By the clock of the database alone, the lease has ended.
    await client.query("update leases set expires_at = clock_timestamp() - interval '1 second'")
    accepted(await next.actor('booking', 1).send({ type: 'booking.changed', seats: 3 }))
    await expect(owner.actor('booking', 1).send({ type: 'booking.changed', seats: 4 })).rejects.toMatchObject({
      code: 'fenced',
    })
    expect((await next.actor('booking', 1).state()).context).toMatchObject({ seats: 3 })
  })

  test('an actor that waits after failures does not wait for hours', async () => {
    const node = await start({ clock, entities: [bookingEntity()] })
    const booking = node.actor('booking', 1)
    accepted(await booking.send({ type: 'booking.made', name: 'table', seats: 1 }))
    for (let failure = 0; failure < 2; failure++)
      await expect(booking.send({ type: 'booking.exploded' })).rejects.toMatchObject({ code: 'actor_failed' })
    offset = -3 * HOUR_MS
    accepted(await booking.send({ type: 'booking.changed', seats: 2 }))
  })
})

test('twenty nodes start at once on an empty database: each migration is applied once, and all work', async () => {
  const empty = await createTestDatabase({ empty: true })
  try {
    const started = await Promise.all(
      Array.from({ length: 20 }, (_, n) => start({ database: empty.url, name: `starter-${n}` })),
    )
    expect(new Set(started.map(({ incarnation }) => incarnation)).size).toBe(20)
    const made = await Promise.all(started.map((node, n) => node.create('user', registered(`user-${n}`))))
    expect(new Set(made.map(result => accepted(result).actor.id)).size).toBe(20)
    await started[0]?.projections.caughtUp()
    const reader = new pg.Client({ connectionString: empty.url })
    await reader.connect()
    const { rows } = await reader.query(
      `select (select count(*)::int from users) as users,
         (select count(*) = count(distinct version) from schema_migrations) as once, (select count(*)::int from installation) as logs`,
    )
    await reader.end()
    expect(rows).toEqual([{ users: 20, once: true, logs: 1 }])
  } finally {
    for (const node of nodes.splice(0)) await node.close()
    await empty.drop()
  }
})

describe('a snapshot spoilt by hand', () => {
  const spoilt = [
    ['no state at all', 2, 0, '"garbage"'],
    ['a state of the wrong form', 2, 0, '{"value": 7, "context": []}'],
    ['a state the machine does not have', 2, 0, '{"value": "nowhere", "context": {}}'],
    ['the shape of another release', 2, 1, '{"value": "open", "context": {"pushes": -1}}'],
    ['a version the log does not have yet', 900, 0, '{"value": "open", "context": {"pushes": -1}}'],
  ] as const

  test.each(spoilt)('%s: history is replayed, and it is said', async (_what, version, otherShape, state) => {
    const entity = doorEntity()
    const writer = await start({ entities: [entity] })
    for (let push = 0; push < 4; push++) accepted(await writer.actor('door', 1).send({ type: 'door.pushed' }))
    await client.query(
      `insert into actor_snapshots (actor_type, actor_id, version, state_version, state, at) values ('door', 1, $1, $2, $3, now())`,
      [version, entity.stateVersion + otherShape, state],
    )
    const log = createRecordingLog()
    const reader = await start({ entities: [entity], log })
    expect(await reader.actor('door', 1).state()).toMatchObject({ version: 4, state: 'open', context: { pushes: 4 } })
    expect(log.lines.map(({ message }) => message)).toContainEqual(expect.stringMatching(/^snapshot .*: replaying$/))
    expect(accepted(await reader.actor('door', 1).send({ type: 'door.pushed' })).event.version).toBe(5)
  })
})

test('code under which history leads elsewhere: the first event that differs is named, and nothing is written over it', async () => {
  const old = await start({ entities: [doorEntity()] })
  for (const id of [1, 2])
    for (let push = 0; push < (id === 1 ? 5 : 2); push++)
      accepted(await old.actor('door', id).send({ type: 'door.pushed' }))
  const third = (await Array.fromAsync(old.actor('door', 1).history())).flat()[2]

  const changed = [doorEntity('ajar')]
  const node = await start({ entities: changed })
  const report = await checkHistory({ store: node.log, entities: changed })
  expect(report).toMatchObject({
    actors: 2,
    drift: [
      {
        actor: 'door/1',
        version: 3,
        position: third?.position,
        message: expect.stringMatching(/version 3 .*led to 'open'.*leads to 'ajar'/),
      },
    ],
  })
  expect(report.drift).toHaveLength(1)
  const head = await node.log.head()
  await expect(node.actor('door', 1).send({ type: 'door.pushed' })).rejects.toMatchObject({
    code: 'history_drift',
    retryable: false,
  })
  expect(await node.log.head()).toBe(head)
  accepted(await node.actor('door', 2).send({ type: 'door.pushed' }))
  // The old release is unharmed by the new one's failure.
  expect(accepted(await old.actor('door', 1).send({ type: 'door.pushed' })).event.version).toBe(6)
})

test('a row that the table refuses: its actor is parked and shown, the rest go on, a rebuild after the repair heals it', async () => {
  const node = await start()
  await client.query("alter table users add constraint no_zoe check (username <> 'Zoe')")
  const [zoe, yan] = [await node.create('user', registered('Zoe')), await node.create('user', registered('Yan'))]
  await node.projections.caughtUp()
  const usernames = async () => (await client.query('select username from users order by id')).rows
  expect(await usernames()).toEqual([{ username: 'Yan' }])
  expect(await node.projections.failures()).toMatchObject([{ actorType: 'user', actorId: zoe.actor.id }])
  expect(await node.health()).toMatchObject({
    status: 'degraded',
    components: { projections: { status: 'degraded', detail: { failures: 1, lag: 0 } } },
  })
  // The actor itself works: only its row is missing.
  accepted(await node.actor('user', zoe.actor.id).send({ type: 'user.verified' }))
  accepted(await node.actor('user', yan.actor.id).send({ type: 'user.verified' }))
  await node.projections.caughtUp()
  await client.query('alter table users drop constraint no_zoe')
  const store = await openedStore({ url: database.url, node: 'repair', clock: systemClock, log: silentLogger })
  try {
    await rebuild({ store, pool: store.pool, entities, log: silentLogger })
  } finally {
    await store.close()
  }
  expect(await usernames()).toEqual([{ username: 'Zoe' }, { username: 'Yan' }])
  expect(await node.health()).toMatchObject({ status: 'ok' })
  accepted(await node.actor('user', zoe.actor.id).send({ type: 'user.updated', displayName: 'Zed' }))
  await node.projections.caughtUp()
  expect((await client.query("select display_name, is_verified from users where username = 'Zoe'")).rows).toEqual([
    { display_name: 'Zed', is_verified: true },
  ])
})
