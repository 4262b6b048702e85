/** Effects: what they do, that doing it twice is doing it once, and who is in their way. */
import { expect, test } from 'vitest'
import { actorId, formatActorRef } from '../../src/core/ids.ts'
import type { Json, JsonObject } from '../../src/core/json.ts'
import type { EffectContext, OutgoingEvent } from '../../src/machines/define.ts'
import { entities } from '../../src/machines/index.ts'

interface Done {
  readonly to: string
  readonly event: OutgoingEvent
}

/** A runtime that takes each command id once, checks schemas as the real one does, and remembers. */
class Runtime {
  readonly done = new Map<string, Done>()
  /** Users whose keys are gone. */
  readonly destroyed: number[] = []
  readonly #tables: Readonly<Record<string, readonly number[]>>
  readonly #refuses: (type: string) => boolean

  /** @param tables ids found, by `table.column=value` */
  constructor(
    tables: Readonly<Record<string, readonly number[]>> = {},
    refuses: (type: string) => boolean = () => false,
  ) {
    this.#tables = tables
    this.#refuses = refuses
  }

  get log(): readonly string[] {
    return [...this.done.values()].map(({ to, event }) => `${to} ${event.type}`)
  }

  #take(commandId: string, type: string, to: () => string, event: OutgoingEvent): Done {
    expect(commandId).toMatch(/^[\x21-\x7e]{1,200}$/)
    const { type: eventType, ...data } = event
    const schema = entities.find(entity => entity.type === type)?.events[eventType]?.schema
    expect(schema?.parse(data), eventType).toEqual(data)
    const before = this.done.get(commandId)
    // The same command id for something else would be refused.
    if (before !== undefined) expect(before.event).toEqual(event)
    const taken = before ?? { to: to(), event }
    this.done.set(commandId, taken)
    return taken
  }

  async run(type: string, effect: string, key: string, input: JsonObject): Promise<OutgoingEvent | undefined> {
    const send: EffectContext['send'] = async (to, event, commandId) => {
      if (this.#refuses(formatActorRef(to))) return { ok: false }
      this.#take(commandId, to.type, () => formatActorRef(to), event)
      return { ok: true }
    }
    const context: EffectContext = {
      actor: { type, id: actorId(7) },
      key,
      input,
      create: async (created, event, commandId) => {
        if (this.#refuses(created)) throw new Error(`${created} was not created`)
        const { to } = this.#take(commandId, created, () => `${created}/${this.done.size + 100}`, event)
        return { type: created, id: actorId(to.split('/')[1]) }
      },
      send,
      sendLost: send,
      destroyPersonalKey: async user => void this.destroyed.push(user),
      findInReadTable: async (table: string, column: string, value: Json) =>
        this.#tables[`${table}.${column}=${String(value)}`] ?? [],
    }
    const run = entities.find(entity => entity.type === type)?.effects[effect]
    if (run === undefined) throw new Error(`no effect ${effect}`)
    return run(context)
  }
}

const STARTED = '2026-01-01T12:00:00.000Z'
const STOPPED = '2026-01-01T12:01:30.500Z'
const start = { airing: STARTED, startedAt: STARTED, userId: 1 }
const stop = { ...start, endedAt: STOPPED, imported: false, totalViewers: 5, peakViewers: 3, bytesSent: 9 }

/** What a release that had no names for times on air wrote into its timers. */
function nameless<Input extends { airing: string }>({ airing: _, ...input }: Input): Omit<Input, 'airing'> {
  return input
}

const lost = { type: 'user.updated', actorType: 'user', actorId: 7, data: { displayName: 'Ada' } }

const cases: Readonly<Record<string, readonly [type: string, input: JsonObject]>> = {
  releaseOwned: ['user', {}],
  eraseOwned: ['user', {}],
  openBroadcast: ['stream', start],
  closeBroadcast: ['stream', stop],
  applyLoser: ['conflict', lost],
}

test('each effect of the registry is tried here', () => {
  expect(Object.keys(cases).sort()).toEqual(entities.flatMap(({ effects }) => Object.keys(effects)).sort())
})

test.each(Object.entries(cases))(
  '%s done again changes nothing and answers the same',
  async (effect, [type, input]) => {
    const runtime = new Runtime({
      'sessions.user_id=7': [1, 2],
      'streams.user_id=7': [3],
      'billing_accounts.user_id=7': [4],
    })
    const first = await runtime.run(type, effect, 'key', input)
    const done = new Map(runtime.done)
    expect(await runtime.run(type, effect, 'key', input)).toEqual(first)
    expect(done.size).toBeGreaterThan(0)
    expect(runtime.done).toEqual(done)
  },
)

test('the side that lost is sent to the actor, and a refusal of it is an outcome', async () => {
  const runtime = new Runtime()
  expect(await runtime.run('conflict', 'applyLoser', 'key', lost)).toEqual({ type: 'conflict.applied', taken: true })
  expect([...runtime.done.values()]).toEqual([{ to: 'user/7', event: { type: 'user.updated', displayName: 'Ada' } }])
  const gone = new Runtime({}, to => to === 'user/7')
  expect(await gone.run('conflict', 'applyLoser', 'key', lost)).toEqual({ type: 'conflict.applied', taken: false })
})

test('a deleted user leaves no session, stream or billing account behind', async () => {
  const runtime = new Runtime(
    { 'sessions.user_id=7': [1, 2], 'streams.user_id=7': [3], 'billing_accounts.user_id=7': [4] },
    to => to === 'session/1',
  )
  expect(await runtime.run('user', 'releaseOwned', 'key', {})).toBeUndefined()
  // What refuses, here a session that is revoked already, does not keep the rest.
  expect(runtime.log).toEqual(['session/2 session.revoked', 'stream/3 stream.deleted', 'billing/4 billing.closed'])
})

test('the key of a user who is erased goes when everything of the user was told', async () => {
  const runtime = new Runtime({
    'sessions.user_id=7': [1],
    'mfa_attempts.user_id=7': [2, 3],
    'conflicts.subject=7': [4],
  })
  expect(await runtime.run('user', 'eraseOwned', 'key', {})).toEqual({ type: 'user.forgotten' })
  expect(runtime.log).toEqual([
    'session/1 session.revoked',
    'session/1 session.erased',
    'mfa-attempt/2 mfa.attempt.erased',
    'mfa-attempt/3 mfa.attempt.erased',
    'conflict/4 conflict.erased',
  ])
  expect(runtime.destroyed).toEqual([7])
})

test('start and stop mean the same broadcast, whichever comes first', async () => {
  const startFirst = new Runtime()
  const opened = await startFirst.run('stream', 'openBroadcast', 'a', start)
  await startFirst.run('stream', 'closeBroadcast', 'b', stop)
  expect(opened).toEqual({ type: 'stream.broadcast.opened', broadcastId: 100, startedAt: STARTED, airing: STARTED })
  expect(startFirst.log).toEqual([
    'broadcast/100 broadcast.started',
    'usage/101 usage.recorded',
    'broadcast/100 broadcast.ended',
    'usage/103 usage.recorded',
  ])

  const stopFirst = new Runtime()
  await stopFirst.run('stream', 'closeBroadcast', 'b', stop)
  expect(await stopFirst.run('stream', 'openBroadcast', 'a', start)).toEqual(opened)
  expect(stopFirst.log.filter(line => line.endsWith('broadcast.started'))).toHaveLength(1)
})

test('two times on air in one millisecond have a broadcast each, in whatever order their effects run', async () => {
  const airing = `${STARTED}#1`
  const effects = [
    ['openBroadcast', 'open', start],
    ['closeBroadcast', 'close', { ...stop, endedAt: STARTED }],
    ['openBroadcast', 'open-again', { ...start, airing }],
    ['closeBroadcast', 'close-again', { ...stop, endedAt: STARTED, airing, bytesSent: 11 }],
  ] as const
  for (const order of permutations(effects)) {
    const runtime = new Runtime()
    const opened = new Map<unknown, unknown>()
    for (const [effect, key, input] of order) {
      const outcome = await runtime.run('stream', effect, key, input)
      if (outcome !== undefined) opened.set(outcome['airing'], `broadcast/${outcome['broadcastId']}`)
    }
    const broadcastOf = (name: string) => runtime.done.get(`broadcast:stream/7:${name}`)?.to
    expect(broadcastOf(STARTED)).not.toBe(broadcastOf(airing))
    expect(opened).toEqual(new Map([STARTED, airing].map(name => [name, broadcastOf(name)])))
    const of = (type: string) => [...runtime.done.values()].filter(({ event }) => event.type === type)
    expect(of('broadcast.started')).toHaveLength(2)
    expect(of('broadcast.ended')).toHaveLength(2)
    expect(new Map(of('broadcast.ended').map(({ to, event }) => [to, event['bytesSent']]))).toEqual(
      new Map([
        [broadcastOf(STARTED), 9],
        [broadcastOf(airing), 11],
      ]),
    )
    expect(of('usage.recorded')).toHaveLength(4)
  }
})

function permutations<Item>(items: readonly Item[]): readonly (readonly Item[])[] {
  if (items.length === 0) return [[]]
  return items.flatMap((item, index) => permutations(items.toSpliced(index, 1)).map(rest => [item, ...rest]))
}

test('a broadcast that was begun before times on air had names is found by its start, and its timers do what they did', async () => {
  const runtime = new Runtime()
  const opened = await runtime.run('stream', 'openBroadcast', 'a', nameless(start))
  expect(opened).toEqual({ type: 'stream.broadcast.opened', broadcastId: 100, startedAt: STARTED })
  expect([...runtime.done.keys()]).toContain(`broadcast:stream/7:${STARTED}`)
  await runtime.run('stream', 'closeBroadcast', 'b', stop)
  expect(runtime.log.filter(line => line.includes('broadcast/'))).toEqual([
    'broadcast/100 broadcast.started',
    'broadcast/100 broadcast.ended',
  ])

  // What it may have sent before it was stopped is the same when it is sent again.
  const imported = new Runtime({ 'stream_sessions.stream_id=7': [40] })
  await imported.run('stream', 'closeBroadcast', 'c', { ...nameless(stop), imported: true })
  expect([...imported.done.values()][0]).toEqual({
    to: 'broadcast/40',
    event: { type: 'broadcast.ended', endedAt: STOPPED, totalViewers: 5, peakViewers: 3, bytesSent: 9 },
  })
})

test('the end carries the totals, and the usage what they cost', async () => {
  const runtime = new Runtime()
  await runtime.run('stream', 'closeBroadcast', 'key', stop)
  const events = [...runtime.done.values()].map(({ event }) => event)
  expect(events).toEqual([
    { type: 'broadcast.started', streamId: 7, startedAt: STARTED },
    { type: 'broadcast.ended', endedAt: STOPPED, totalViewers: 5, peakViewers: 3, bytesSent: 9 },
    {
      type: 'usage.recorded',
      userId: 1,
      streamId: 7,
      eventType: 'stream_end',
      bytesTransferred: 9,
      durationSeconds: 90,
    },
  ])
})

test('a stream that was live in 24.2 ends the broadcast 24.2 left open, or one of its own where there is none', async () => {
  const left = new Runtime({ 'stream_sessions.stream_id=7': [40, 41] }, to => to === 'broadcast/40')
  await left.run('stream', 'closeBroadcast', 'key', { ...stop, imported: true })
  expect(left.log).toEqual(['broadcast/41 broadcast.ended', 'usage/101 usage.recorded'])
  // So that the broadcast of the next time on air, which may be in the table by now, refuses.
  expect([...left.done.values()][0]?.event).toMatchObject({ imported: true })

  const none = new Runtime({ 'stream_sessions.stream_id=7': [40] }, to => to === 'broadcast/40')
  await none.run('stream', 'closeBroadcast', 'key', {
    ...stop,
    imported: true,
    airing: '2024-01-01T00:00:00.123456Z',
    startedAt: '2024-01-01T00:00:00.123456Z',
  })
  expect(none.log).toEqual([
    'broadcast/100 broadcast.started',
    'broadcast/100 broadcast.ended',
    'usage/102 usage.recorded',
  ])
})

test('usage of a user who is gone is no failure; any other failure is', async () => {
  const refusesUsage = (type: string) => type === 'usage'
  const gone = new Runtime({}, refusesUsage)
  expect(await gone.run('stream', 'openBroadcast', 'key', start)).toMatchObject({ type: 'stream.broadcast.opened' })
  expect(await gone.run('stream', 'closeBroadcast', 'key', stop)).toBeUndefined()
  expect(gone.log).toContain('broadcast/100 broadcast.ended')

  const there = new Runtime({ 'users.id=1': [1] }, refusesUsage)
  await expect(there.run('stream', 'closeBroadcast', 'key', stop)).rejects.toThrow('usage was not created')
})
