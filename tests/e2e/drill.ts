/**
 * The end-to-end drill: a populated 24.2 database through import, a thousand streams through their life over HTTP, the
 * node killed in the middle, and then the proof, by independent queries, that nothing was lost, doubled or left out.
 */
import { readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import pg from 'pg'
import { startPostgres } from '../../src/embedded/postgres.ts'
import { runCli, startNodeProcess } from '../support/cli-process.ts'
import { type Acknowledgement, HttpClient } from '../support/http-client.ts'
import { populateLegacyDatabase, rowHashes } from '../support/legacy-database.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { expectedCommands, liveThroughStreams } from './streams-life.ts'

export interface DrillOptions {
  readonly streams: number
  /** Users of the 24.2 database beside the hand-made rows. */
  readonly legacyUsers: number
  say(line: string): void
}

export interface DrillReport {
  readonly imported: number
  readonly acknowledged: number
  readonly expected: number
  /** Requests that were sent again around the kill. */
  readonly retries: number
  readonly eventsInLog: number
  /** Acknowledged commands that are not in the log exactly once at the position and version that was acknowledged. */
  readonly lostOrDoubled: readonly string[]
  /** Actors whose versions are not 1, 2, 3, … */
  readonly gaps: readonly string[]
  /** Tables in which a rebuild would change something. */
  readonly differentTables: readonly string[]
  /** Recorded states that replay does not lead to. */
  readonly drift: number
  /** Acknowledged events that the audit of their user does not show. */
  readonly missingInAudit: readonly string[]
  /** 24.2 rows that no command touched and that are not what they were. */
  readonly changedRows: readonly string[]
}

export async function runDrill({ streams, legacyUsers, say }: DrillOptions): Promise<DrillReport> {
  const folder = await temporaryFolder('drill')
  const postgres = await startPostgres({ dataDir: path.join(folder, 'postgres') })
  try {
    const database = new pg.Pool({ connectionString: postgres.url, max: 2 })
    try {
      return await drill({ streams, legacyUsers, say, folder, url: postgres.url, database })
    } finally {
      await database.end()
    }
  } finally {
    await postgres.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

async function drill(context: DrillOptions & { folder: string; url: string; database: pg.Pool }): Promise<DrillReport> {
  const { streams, say, folder, url, database } = context
  const home = path.join(folder, 'home')
  const environment = { DATABASE_URL: url, ROOTSTREAM_HOME: home, ROOTSTREAM_HTTP_PORT: '0' }

  await populateLegacyDatabase(url, { users: context.legacyUsers })
  const before = await rowHashes(database)
  say(`a 24.2 database with ${before.size} rows`)

  const dryRun = await runCli(['import', '--dry-run', '--json'], environment)
  if (dryRun.code !== 0) throw new Error(`import --dry-run failed: ${dryRun.stderr}`)
  const imported = await runCli(['import', '--json'], environment)
  if (imported.code !== 0) throw new Error(`import failed: ${imported.stderr}`)
  const importedEvents = Number(
    (await database.query("select count(*) from events where type like '%.imported'")).rows[0]?.count,
  )
  say(`imported: ${importedEvents} genesis events`)

  let node = await startNodeProcess(environment)
  const token = (await readFile(path.join(home, 'token'), 'utf8')).trim()
  const client = new HttpClient(node.url, token, 32)
  const userIds = (await database.query('select id from users where is_active order by id limit 50')).rows.map(row =>
    Number(row.id),
  )
  const expected = expectedCommands(streams)
  let killed: Promise<void> | undefined
  const killInTheMiddle = async () => {
    say('kill -9')
    await node.kill()
    node = await startNodeProcess(environment)
    client.moveTo(node.url)
    say('restarted')
  }
  const acknowledged = await liveThroughStreams(client, {
    streams,
    concurrency: 32,
    userIds,
    onAcknowledged: total => {
      if (total >= expected / 2) killed ??= killInTheMiddle()
    },
  })
  await killed
  say(`${acknowledged.length} commands acknowledged, ${client.retries} sent again`)

  const ready = await client.request('GET', '/ready')
  if (ready.status !== 200) throw new Error(`the node is not ready: ${JSON.stringify(ready.body)}`)
  const missingInAudit = await auditGaps(client, acknowledged)
  client.close()
  await node.stop()
  say('the node has stopped; now the proof')

  const verified = await runCli(['rebuild', '--verify', '--json'], environment)
  const verification = JSON.parse(verified.stdout) as {
    tables: { table: string; missing: number; extra: number; different: number }[]
  }
  const replayed = await runCli(['replay', '--all', '--check', '--json'], environment)
  return {
    imported: importedEvents,
    acknowledged: acknowledged.length,
    expected,
    retries: client.retries,
    eventsInLog: Number((await database.query('select count(*) from events')).rows[0]?.count),
    lostOrDoubled: await lostOrDoubled(database, acknowledged),
    gaps: await versionGaps(database),
    differentTables: verification.tables
      .filter(({ missing, extra, different }) => missing + extra + different > 0)
      .map(({ table }) => table),
    drift: replayed.code === 0 ? 0 : 1,
    missingInAudit,
    changedRows: await changedRows(database, before, acknowledged),
  }
}

/** Each acknowledgement against the log by plain SQL: one event under its command id, with its position and version. */
async function lostOrDoubled(database: pg.Pool, acknowledged: readonly Acknowledgement[]): Promise<readonly string[]> {
  const { rows } = await database.query('select command_id, position, version from events where command_id is not null')
  const found = new Map<string, { position: number; version: number; times: number }>()
  for (const row of rows) {
    const times = (found.get(row.command_id)?.times ?? 0) + 1
    found.set(row.command_id, { position: Number(row.position), version: row.version, times })
  }
  return acknowledged
    .filter(({ key, position, version }) => {
      const event = found.get(key)
      return event === undefined || event.times !== 1 || event.position !== position || event.version !== version
    })
    .map(({ key }) => key)
}

async function versionGaps(database: pg.Pool): Promise<readonly string[]> {
  const { rows } = await database.query(
    `select actor_type || '/' || actor_id as actor from events
     group by actor_type, actor_id having count(*) <> max(version) or min(version) <> 1`,
  )
  return rows.map(row => row.actor)
}

/** The audit of each user over HTTP, page by page, against what that user's commands were acknowledged with. */
async function auditGaps(client: HttpClient, acknowledged: readonly Acknowledgement[]): Promise<readonly string[]> {
  const byUser = Map.groupBy(
    acknowledged.filter(({ userId }) => userId !== null),
    ({ userId }) => userId,
  )
  const missing: string[] = []
  for (const [userId, mine] of byUser) {
    const seen = new Set<number>()
    let after = 0
    for (;;) {
      const answer = await client.request('GET', `/v1/audit?user=${userId}&after=${after}&limit=500`)
      if (answer.status !== 200) throw new Error(`audit: ${answer.status} ${JSON.stringify(answer.body)}`)
      const page = answer.body as { events: { position: number }[]; next?: number }
      for (const { position } of page.events) seen.add(position)
      if (page.next === undefined) break
      after = page.next
    }
    missing.push(...mine.filter(({ position }) => !seen.has(position)).map(({ key }) => key))
  }
  return missing
}

/** Rows of 24.2 that changed. A session that was still active then may have expired meanwhile: that is an event of its own. */
async function changedRows(
  database: pg.Pool,
  before: ReadonlyMap<string, string>,
  acknowledged: readonly Acknowledgement[],
): Promise<readonly string[]> {
  const after = await rowHashes(database)
  const touched = new Set(acknowledged.map(({ actor }) => actor))
  const { rows } = await database.query(
    "select distinct actor_type || '/' || actor_id as actor from events where version > 1",
  )
  for (const { actor } of rows) touched.add(actor)
  const tableOf: Record<string, string> = {
    user: 'users',
    session: 'sessions',
    stream: 'streams',
    broadcast: 'stream_sessions',
    recording: 'recordings',
    usage: 'usage_logs',
    billing: 'billing_accounts',
  }
  const changedByEvents = new Set([...touched].map(actor => actor.replace(/^[a-z-]+/, type => tableOf[type] ?? type)))
  return [...before].filter(([row, hash]) => after.get(row) !== hash && !changedByEvents.has(row)).map(([row]) => row)
}
