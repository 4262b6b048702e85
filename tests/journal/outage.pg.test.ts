/** Events that can be merged are taken while Postgres is away, and are in the log once when it is back. */
import { readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import path from 'node:path'
import pg from 'pg'
import { describe, expect, type TestContext, test } from 'vitest'
import { createNode } from '../../src/app.ts'
import { silentLogger } from '../../src/logging.ts'
import { type OwnPostgres, ownPostgres } from '../support/database.ts'
import { createRecordingLog } from '../support/recording-log.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { TEST_KEYS } from '../support/test-keys.ts'
import { eventually } from '../sync/eventually.ts'
import { accepted, history, openSession, outageStage, registerUser, tentative } from './outage-stage.ts'

// Each has a database and links of its own, and mostly waits.
describe.concurrent('a node that is cut off from Postgres', () => {
  test('takes a profile and a revocation, shows them, and brings them to the log', async context => {
    const { start } = await outageStage(context)
    const { node, link, healed } = await start('a')
    const ada = await registerUser(node, 'ada')
    const session = await openSession(node, ada, 'token')
    link.cut()
    const update = { type: 'user.updated', displayName: 'Ada L.' }
    const answer = tentative(await node.actor('user', ada).send(update, { commandId: 'rename' }))
    expect(answer).toMatchObject({ basis: 1, repeated: false, event: { state: 'active', commandId: 'rename' } })
    expect(answer.event).not.toHaveProperty('position')
    tentative(await node.actor('session', session).send({ type: 'session.revoked' }))
    expect(await node.actor('session', session).state()).toMatchObject({
      state: 'revoked',
      version: 1,
      tentative: true,
    })
    expect(await node.actor('user', ada).send(update, { commandId: 'rename' })).toMatchObject({
      tentative: true,
      repeated: true,
    })
    expect(node.actors.outage()).toMatchObject({ away: true, pending: 2 })
    expect((await node.health()).components.journal).toMatchObject({ status: 'degraded', detail: { pending: 2 } })

    link.mend()
    await healed()
    const revoked = await node.actor('session', session).state()
    expect(revoked).toMatchObject({ state: 'revoked', version: 2 })
    expect(revoked).not.toHaveProperty('tentative')
    expect(
      (await history(node, 'user', ada)).map(({ type, commandId, origin }) => [type, commandId, origin?.basis]),
    ).toEqual([
      ['user.registered', null, undefined],
      ['user.updated', 'rename', 1],
    ])
    const repeated = accepted(await node.actor('user', ada).send(update, { commandId: 'rename' }))
    expect(repeated).toMatchObject({ repeated: true, event: { version: 2 } })
    expect(node.actors.outage()).toMatchObject({ away: false, pending: 0 })
    expect((await node.health()).components.journal.status).toBe('ok')
    // The expiry that the revocation cancelled is gone with it.
    expect(await node.log.nextTimerAt()).toBeUndefined()
  })

  test('later commands of an actor stack on the earlier ones, and none counts as beside the others', async context => {
    const { start } = await outageStage(context)
    const { node, link, healed } = await start('a')
    const ada = await registerUser(node, 'ada')
    link.cut()
    for (let n = 1; n <= 5; n++)
      tentative(await node.actor('user', ada).send({ type: 'user.updated', displayName: `Ada ${n}` }))
    await Promise.all(
      [6, 7, 8].map(n => node.actor('user', ada).send({ type: 'user.updated', avatarUrl: `https://example.org/${n}` })),
    )
    link.mend()
    await healed()
    expect(await node.actor('user', ada).state()).toMatchObject({
      version: 9,
      context: { row: { display_name: 'Ada 5', avatar_url: 'https://example.org/8' } },
    })
    expect(await node.log.listActors('conflict', 0, 10)).toEqual([])
  })

  test('takes nothing that only the log can decide', async context => {
    const { start } = await outageStage(context)
    const { node, link, healed } = await start('a')
    const ada = await registerUser(node, 'ada')
    const away = { code: 'log_unavailable', retryable: true }
    link.cut()
    const send = (event: { type: string; [key: string]: string }, options = {}) =>
      node.actor('user', ada).send(event, options)
    await expect(send({ type: 'user.verified' })).rejects.toMatchObject(away)
    await expect(send({ type: 'user.updated', username: 'eve' })).rejects.toMatchObject(away)
    await expect(send({ type: 'user.updated', displayName: 'A' }, { expectedVersion: 1 })).rejects.toMatchObject(away)
    // Not in memory: its state is not known.
    await expect(node.actor('user', 99).send({ type: 'user.updated', displayName: 'A' })).rejects.toMatchObject(away)
    await expect(registerUser(node, 'bob')).rejects.toMatchObject(away)
    tentative(await send({ type: 'user.updated', displayName: 'A' }, { commandId: 'one' }))
    await expect(send({ type: 'user.updated', displayName: 'B' }, { commandId: 'one' })).rejects.toMatchObject({
      code: 'command_id_reused',
    })
    link.mend()
    await healed()
    accepted(await send({ type: 'user.verified' }))
    expect((await history(node, 'user', ada)).map(({ type }) => type)).toEqual([
      'user.registered',
      'user.updated',
      'user.verified',
    ])
  })

  test('a command id that the log had spent on something else is told afterwards, and nothing goes unsaid', async context => {
    const { start } = await outageStage(context)
    const { node, link, healed } = await start('a')
    const ada = await registerUser(node, 'ada')
    accepted(await node.actor('user', ada).send({ type: 'user.verified' }, { commandId: 'spent' }))
    link.cut()
    tentative(await node.actor('user', ada).send({ type: 'user.updated', displayName: 'A' }, { commandId: 'spent' }))
    link.mend()
    await healed()
    expect(await history(node, 'user', ada)).toHaveLength(2)
    const [record] = await node.log.listActors('conflict', 0, 1)
    expect(await node.actor('conflict', record?.id ?? 0).state()).toMatchObject({
      state: 'open',
      context: { row: { strategy: 'command_id_reused', winner: 'log', loser: { displayName: 'A' } } },
    })
  })

  test('a full journal refuses with a word to come back, and keeps what it took', async context => {
    const { start } = await outageStage(context)
    const { node, link, healed } = await start('a', { journalBytes: 2_000 })
    const ada = await registerUser(node, 'ada')
    link.cut()
    let taken = 0
    let refusal: unknown
    while (refusal === undefined)
      await node
        .actor('user', ada)
        .send({ type: 'user.updated', displayName: `Ada ${taken + 1}` })
        .then(
          () => taken++,
          error => {
            refusal = error
          },
        )
    expect(refusal).toMatchObject({ code: 'overloaded', retryable: true })
    expect(await node.actor('user', ada).state()).toMatchObject({ context: { row: { display_name: `Ada ${taken}` } } })
    link.mend()
    await healed()
    expect(await history(node, 'user', ada)).toHaveLength(taken + 1)
    accepted(await node.actor('user', ada).send({ type: 'user.updated', displayName: 'Ada' }))
  })

  test('a command that the log may have is not said to be refused, where the journal is full', async context => {
    const { start } = await outageStage(context)
    const { node, link, healed } = await start('a', { journalBytes: 1 })
    const ada = node.actor('user', await registerUser(node, 'ada'))
    const update = { type: 'user.updated', displayName: 'Ada L.' }
    link.loseNextAppend()
    await expect(ada.send(update, { commandId: 'update' })).rejects.toMatchObject({
      code: 'log_unavailable',
      message: expect.not.stringContaining('not taken'),
    })
    link.mend()
    await healed()
    expect(await ada.send(update, { commandId: 'update' })).toMatchObject({ ok: true, repeated: true })
  })

  test.for([
    ['with a command id', { commandId: 'rename' }],
    ['without one', {}],
  ] as const)(
    'an append %s that was carried out and not answered is not written again',
    async ([, options], context) => {
      const { start } = await outageStage(context)
      const { node, link, healed } = await start('a')
      const ada = await registerUser(node, 'ada')
      link.loseNextAppend()
      tentative(await node.actor('user', ada).send({ type: 'user.updated', displayName: 'Ada L.' }, options))
      tentative(await node.actor('user', ada).send({ type: 'user.updated', displayName: 'Countess' }))
      link.mend()
      await healed()
      const events = await history(node, 'user', ada)
      expect(events.map(({ data, origin }) => [data.displayName, origin?.basis])).toEqual([
        [undefined, undefined],
        ['Ada L.', undefined],
        ['Countess', 1],
      ])
      expect(await node.log.listActors('conflict', 0, 10)).toEqual([])
    },
  )

  test('the next start brings what the one before left in the journal, before it takes commands', async context => {
    const { start } = await outageStage(context)
    const first = await start('a')
    const ada = await registerUser(first.node, 'ada')
    first.link.cut()
    const update = { type: 'user.updated', displayName: 'Ada L.' }
    tentative(await first.node.actor('user', ada).send(update, { commandId: 'rename' }))
    await first.close()
    const { node } = await start('a')
    expect(node.actors.outage()).toMatchObject({ pending: 0 })
    expect(accepted(await node.actor('user', ada).send(update, { commandId: 'rename' }))).toMatchObject({
      repeated: true,
      event: { version: 2 },
    })
    expect(await history(node, 'user', ada)).toHaveLength(2)
  })
})

describe.concurrent('two nodes that are cut off', () => {
  /** Both change one user and one session; then they come back in the given order. */
  async function change(order: readonly ['a' | 'b', 'a' | 'b'], context: TestContext) {
    const { start } = await outageStage(context)
    const nodes = { a: await start('a'), b: await start('b') }
    const { a, b } = nodes
    const ada = await registerUser(a.node, 'ada')
    const session = await openSession(a.node, ada, 'token')
    await b.node.actor('user', ada).state()
    await b.node.actor('session', session).state()
    a.link.cut()
    b.link.cut()
    const renames = [
      { type: 'user.updated', displayName: 'of a', avatarUrl: 'https://example.org/a' },
      { type: 'user.updated', displayName: 'of b' },
    ]
    tentative(await a.node.actor('user', ada).send(renames[0] as never, { commandId: 'a' }))
    tentative(await a.node.actor('session', session).send({ type: 'session.revoked' }, { commandId: 'revoke' }))
    tentative(await b.node.actor('user', ada).send(renames[1] as never, { commandId: 'b' }))
    tentative(await b.node.actor('session', session).send({ type: 'session.closed' }, { commandId: 'close' }))
    for (const name of order) {
      nodes[name].link.mend()
      await nodes[name].healed()
    }
    for (const { node } of [a, b]) {
      expect(await node.actor('session', session).state()).toMatchObject({ state: 'revoked' })
      expect(await node.actor('user', ada).state()).toMatchObject({
        context: { row: { display_name: 'of b', avatar_url: 'https://example.org/a' } },
      })
    }
    // Each is told once what became of its command, on either node.
    for (const { node } of [a, b]) {
      for (const [id, event] of Object.entries({ a: renames[0], b: renames[1] }))
        expect(await node.actor('user', ada).send(event as never, { commandId: id })).toMatchObject({ repeated: true })
      for (const [id, type] of Object.entries({ revoke: 'session.revoked', close: 'session.closed' }))
        expect(await node.actor('session', session).send({ type }, { commandId: id })).toMatchObject({ repeated: true })
    }
    return { ...nodes, ada, session }
  }

  test('a revocation wins and the later name stays, when the one that is later comes back last', async context => {
    const { a, b, ada, session } = await change(['a', 'b'], context)
    expect((await history(a.node, 'session', session)).map(({ type }) => type)).toEqual([
      'session.created',
      'session.revoked',
    ])
    const [opened] = await a.node.log.listActors('conflict', 0, 1)
    expect(await a.node.actor('conflict', opened?.id ?? 0).state()).toMatchObject({
      state: 'open',
      context: { row: { actor_type: 'user', actor_id: ada, winner: 'event', loser: { displayName: 'of a' } } },
    })
    const closed = accepted(
      await b.node.actor('session', session).send({ type: 'session.closed' }, { commandId: 'close' }),
    )
    expect(closed.absorbed).toMatchObject({ type: 'conflict' })
  })

  test('the same, when it comes back first; the conflict is settled for the side that lost', async context => {
    const { a, b, ada, session } = await change(['b', 'a'], context)
    expect((await history(a.node, 'session', session)).map(({ type }) => type)).toEqual([
      'session.created',
      'session.closed',
      'session.revoked',
    ])
    const [opened] = await b.node.log.listActors('conflict', 0, 1)
    const conflict = b.node.actor('conflict', opened?.id ?? 0)
    expect(await conflict.state()).toMatchObject({
      state: 'open',
      context: { row: { winner: 'log', loser: { displayName: 'of a' }, status: 'open' } },
    })
    accepted(await conflict.send({ type: 'conflict.settled', keep: 'event' }))
    await b.node.actors.effectsIdle()
    expect(await conflict.state()).toMatchObject({ state: 'settled', context: { taken: true, row: { kept: 'event' } } })
    expect(await a.node.actor('user', ada).state()).toMatchObject({ context: { row: { display_name: 'of a' } } })
    await b.node.projections.caughtUp(await b.node.log.head())
    expect(await b.node.projections.find('conflicts', 'status', 'settled')).toContain(opened?.id)
  })
})

describe.concurrent('a Postgres that breaks', () => {
  async function scene(
    fault: (server: OwnPostgres) => Promise<() => Promise<void>>,
    register: TestContext['onTestFinished'],
  ) {
    const server = await ownPostgres()
    register(() => server.remove())
    const home = await temporaryFolder('broken')
    register(() => rm(home, { recursive: true, force: true }))
    const node = await createNode({ database: server.url, home, name: 'a', log: silentLogger, patienceMs: 200 })
    register(() => node.close())
    const ada = await registerUser(node, 'ada')
    const session = await openSession(node, ada, 'token')
    const mend = await fault(server)
    const sent = [
      node.actor('user', ada).send({ type: 'user.updated', displayName: 'Ada L.' }),
      node.actor('session', session).send({ type: 'session.revoked' }, { commandId: 'revoke' }),
    ]
    for (const answer of await Promise.all(sent)) tentative(answer)
    await mend()
    await eventually(async () => expect(node.actors.outage()).toMatchObject({ away: false, pending: 0 }))
    expect((await history(node, 'session', session)).map(({ type }) => type)).toEqual([
      'session.created',
      'session.revoked',
    ])
    expect((await history(node, 'user', ada)).map(({ type }) => type)).toEqual(['user.registered', 'user.updated'])
  }

  test('killed and started again', ({ onTestFinished }) =>
    scene(async server => {
      await server.kill9()
      return () => server.restart()
    }, onTestFinished))

  test('frozen with the append in its hands, which it carries out when it thaws', ({ onTestFinished }) =>
    scene(async server => {
      const children = readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, 'utf8').trim().split(' ')
      const signal = (name: NodeJS.Signals) => {
        for (const pid of [server.pid, ...children.map(Number)]) process.kill(pid, name)
      }
      signal('SIGSTOP')
      return async () => signal('SIGCONT')
    }, onTestFinished))
})

test('a Postgres that can only be read, as after a failover, is not back', async ({ onTestFinished }) => {
  const server = await ownPostgres()
  onTestFinished(() => server.remove())
  const home = await temporaryFolder('read-only')
  onTestFinished(() => rm(home, { recursive: true, force: true }))
  const log = createRecordingLog()
  const node = await createNode({ database: server.url, home, name: 'a', log, patienceMs: 200 })
  onTestFinished(() => node.close())
  const ada = await registerUser(node, 'ada')
  const administrator = new pg.Client({ connectionString: server.url, options: '-c default_transaction_read_only=off' })
  await administrator.connect()
  onTestFinished(() => administrator.end())
  const readOnly = async (value: 'on' | 'off') => {
    await administrator.query(`alter database ${administrator.database} set default_transaction_read_only = ${value}`)
    // New sessions are of the new kind.
    await administrator.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()",
    )
  }
  const said = (message: string) => log.lines.filter(line => line.message === message).length
  await readOnly('on')
  tentative(await node.actor('user', ada).send({ type: 'user.updated', displayName: 'Ada L.' }))
  await eventually(() => expect(said('the log is still away')).toBeGreaterThan(2))
  expect(said('Postgres is back')).toBe(0)
  expect(node.actors.outage()).toMatchObject({ away: true, pending: 1 })
  await readOnly('off')
  await eventually(() => expect(node.actors.outage()).toMatchObject({ away: false, pending: 0 }))
  expect((await history(node, 'user', ada)).map(({ type }) => type)).toEqual(['user.registered', 'user.updated'])
})

test('a node without a home of its own has no journal, and says so', async context => {
  const { url } = await outageStage(context)
  const node = await createNode({ database: url, name: 'a', log: silentLogger })
  expect(node.actors.outage()).toBeUndefined()
  expect((await node.health()).components.journal).toEqual({ status: 'ok', detail: { enabled: false } })
  await node.close()
})

test('two processes do not share a journal', async context => {
  const { url, start } = await outageStage(context)
  const { home } = await start('a')
  await expect(createNode({ database: url, home, keys: TEST_KEYS, log: silentLogger })).rejects.toMatchObject({
    code: 'already_running',
  })
  expect(path.basename(home)).toBe('a')
})
