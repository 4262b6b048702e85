/** What must hold of an installation at any time, and what when it has had the time for everything. */
import assert from 'node:assert/strict'
import { checkHistory } from '../../src/actors/replay.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { silentLogger } from '../../src/logging.ts'
import { rebuild } from '../../src/projections/rebuild.ts'
import type { Client } from './client.ts'
import { stillOwed } from './duties.ts'
import { factsShown, formOf } from './erasure.ts'
import { entities, type Installation } from './installation.ts'
import { allowedIn, type Facts, isGone } from './rules.ts'
import { heldNames, idsOf, standing, type World } from './world.ts'

/** Effects that a killed node left are taken up after their retry time, and once more where that node had taken them up itself. */
const ROUND_MS = 31_000
const MAX_ROUNDS = 8

/** The state of an actor, as a node shows it, now or at a version. */
export async function checkView(
  world: World,
  real: Installation,
  node: number,
  key: string,
  version?: number,
): Promise<void> {
  const [type = '', id] = key.split('/')
  const wanted = standing(world, type, Number(id), version)
  const view = await real.view(node, type, Number(id), version)
  const told = `${key} at ${version ?? 'the end'}: ${JSON.stringify(view)}`
  assert.equal(view.version, wanted.version, told)
  assert.equal(view.state, wanted.state, told)
  assert.deepEqual(view.allowed.toSorted(), allowedIn(type, wanted.state).toSorted(), told)
  assert.equal(view.at, world.actors.get(key)?.[wanted.version - 1]?.event.at ?? null, told)
  const shown = Object.entries(shownFacts(type, view.context))
  const possible = factsShown(world, type, Number(id), wanted.version, real.now)
  const facts = possible.find(some => shown.every(([name, value]) => value === some[name])) ?? possible[0]
  for (const [name, value] of shown) assert.equal(value, facts?.[name], `${name} of ${told}`)
}

/** The context of an actor in the words of the model. */
function shownFacts(type: string, context: JsonObject): Facts {
  const row = (context['row'] ?? {}) as JsonObject
  const column = (name: string) => row[name] ?? null
  switch (type) {
    case 'user':
      return { username: column('username'), email: column('email'), verified: column('is_verified') }
    case 'stream':
      return {
        userId: column('user_id'),
        name: column('name'),
        streamKey: column('stream_key'),
        viewers: column('viewer_count'),
        startedAt: column('started_at'),
        again: context['again'] ?? null,
        total: context['totalViewers'] ?? null,
        peak: context['peakViewers'] ?? null,
        bytes: context['bytesSent'] ?? null,
        broadcastId: context['broadcastId'] ?? null,
      }
    case 'session':
      return {
        userId: column('user_id'),
        tokenHash: column('session_token'),
        expiresAt: column('expires_at'),
        ipAddress: column('ip_address'),
      }
    default:
      return {}
  }
}

/** At any time: the log is whole, every node shows the actors as the model has them, and replay and claims agree. */
export async function checkAll(world: World, real: Installation): Promise<void> {
  const { observer } = real
  const log = await observer.readAll(0, 100_000)
  const known = [...world.actors.values()].flat().toSorted((a, b) => a.event.position - b.event.position)
  assert.deepEqual(
    log,
    known.map((step, index) => formOf(world, step, log[index], real.now, 0)),
    'the log is not what was read of it before',
  )
  for (const key of world.actors.keys()) for (const node of real.nodes.keys()) await checkView(world, real, node, key)
  const replay = await checkHistory({ store: observer, entities })
  assert.deepEqual({ drift: replay.drift, wrongSnapshots: replay.wrongSnapshots }, { drift: [], wrongSnapshots: [] })
  assert.equal(replay.events, log.length)
  await checkClaims(world, real)
  await checkReadTables(world, real)
}

async function checkClaims(world: World, real: Installation): Promise<void> {
  const { rows } = await real.observer.pool.query<{ name: string; holder: string }>(
    `select kind || ' ' || key as name, actor_type || '/' || actor_id as holder from claims`,
  )
  const found = new Map(rows.map(({ name, holder }) => [name, holder]))
  assert.deepEqual(found, new Map(heldNames(world)))
}

/** The read tables are at the end of the log, a rebuild would change nothing, and they show what the model knows. */
export async function checkReadTables(world: World, real: Installation): Promise<void> {
  const { observer } = real
  for (const node of real.nodes) await node.projections.caughtUp()
  assert.deepEqual(await real.nodes[0]?.projections.failures(), [])
  const report = await rebuild({ store: observer, pool: observer.pool, entities, log: silentLogger, verifyOnly: true })
  assert.equal(report.failures, 0)
  const wrong = report.tables.filter(table => table.missing + table.extra + table.different + table.unknown > 0)
  assert.deepEqual(wrong, [])
  for (const [type, query] of Object.entries(TABLES)) {
    const { rows } = await observer.pool.query<JsonObject>(query)
    assert.deepEqual(rows, rowsOf(world, type), `the rows of ${type}`)
  }
}

const TABLES = {
  user: 'select id, username, email, is_active as active from users order by id',
  stream:
    'select id, user_id as owner, name, stream_key as key, is_live as live, viewer_count as viewers from streams order by id',
  session:
    'select id, user_id as owner, session_token as token, is_active as active, host(ip_address) as ip from sessions order by id',
}

function rowsOf(world: World, type: string): readonly JsonObject[] {
  const ids = idsOf(world, type).toSorted((a, b) => a - b)
  return ids.flatMap((id): JsonObject[] => {
    const { state, facts } = standing(world, type, id)
    const of = (name: string) => facts[name] ?? null
    if (isGone(state)) return []
    const active = state === 'active'
    if (type === 'user') return [{ id, username: of('username'), email: of('email'), active }]
    const owned = { id, owner: of('userId') }
    if (type === 'session') return [{ ...owned, token: of('tokenHash'), active, ip: of('ipAddress') }]
    return [{ ...owned, name: of('name'), key: of('streamKey'), live: state === 'live', viewers: of('viewers') }]
  })
}

/** At the end of a run: with time enough everything that is owed is done, and nothing is left to do. */
export async function checkEnd(client: Client, real: Installation): Promise<void> {
  for (let round = 0; ; round++) {
    await client.settle(real)
    const { rows } = await real.observer.pool.query(
      "select actor_type, actor_id, name from timers where kind = 'effect'",
    )
    const left = [...stillOwed(client.world, real.now), ...rows.map(row => JSON.stringify(row))]
    if (left.length === 0) break
    assert.ok(round < MAX_ROUNDS, `never done: ${left.join('; ')}`)
    real.clock.advance(ROUND_MS)
  }
  await checkAll(client.world, real)
  const audit = await real.nodes[0]?.audit.verify()
  assert.deepEqual(audit?.findings, [])
}
