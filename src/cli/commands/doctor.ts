/** `rootstream doctor` */
import { generateKeySync, randomUUID } from 'node:crypto'
import { statfs } from 'node:fs/promises'
import type { Command } from 'commander'
import { openKeyRing } from '../../auth/open-key-ring.ts'
import type { Config } from '../../config.ts'
import { AppError, ERRORS } from '../../core/errors.ts'
import type { Logger } from '../../core/ports.ts'
import { pendingMigrations, refuseForeignSchema } from '../../eventstore/migrate.ts'
import { createPgNamingKey } from '../../eventstore/naming-key.ts'
import { createPool, type Pool, type PoolClient, query } from '../../eventstore/pool.ts'
import { createRedisBus } from '../../sync/redis-bus.ts'
import { systemClock } from '../../system-clock.ts'
import { type CommandContext, runs } from '../command.ts'
import { prepareHome, withDatabase } from '../database.ts'

interface Finding {
  readonly check: string
  readonly verdict: 'ok' | 'warn' | 'fail'
  readonly finding: string
  /** What to do. */
  readonly advice?: string
}

const LOW_SPACE = 0.1
const LAGGING = 10_000

export function doctorCommand(program: Command): void {
  const command = program
    .command('doctor')
    .description('look over the node, its directory and its database')
    .addHelpText('after', `\nExit code ${ERRORS.setup_failed.exitCode} where a check fails.`)
  runs(command, async context => {
    const findings = [nodeVersion(), await home(context), ...(await database(context)), ...(await redis(context))]
    if (findings.some(({ verdict }) => verdict === 'fail')) process.exitCode = ERRORS.setup_failed.exitCode
    context.out.result(findings, () => {
      for (const { check, verdict, finding, advice } of findings) {
        context.out.line(`${verdict.padEnd(4)}  ${check.padEnd(12)}  ${finding}`)
        if (advice !== undefined && verdict !== 'ok') context.out.line(`      ${''.padEnd(12)}  ${advice}`)
      }
    })
  })
}

function nodeVersion(): Finding {
  const version = process.versions.node
  return Number(version.split('.')[0]) >= 24
    ? { check: 'node', verdict: 'ok', finding: version }
    : {
        check: 'node',
        verdict: 'fail',
        finding: version,
        advice: 'Node 24 or newer runs the runtime; bin/rootstream.mjs brings it.',
      }
}

async function home({ config }: CommandContext): Promise<Finding> {
  const { bavail, blocks } = await statfs(prepareHome(config.home))
  const free = bavail / blocks
  return {
    check: 'home',
    verdict: free < LOW_SPACE ? 'warn' : 'ok',
    finding: `${config.home}, ${Math.round(free * 100)} % of the disk is free`,
    advice: 'Make room: a full disk stops the embedded Postgres from taking commands.',
  }
}

async function database({ config, log }: CommandContext): Promise<readonly Finding[]> {
  try {
    return await withDatabase(config, log, async url => {
      const pool = createPool({ url, log, size: 2 })
      try {
        return await inspect(pool, config, log)
      } finally {
        await pool.end()
      }
    })
  } catch (error) {
    return [failed('database', error)]
  }
}

async function inspect(pool: Pool, config: Config, log: Logger): Promise<readonly Finding[]> {
  const [server] = await query<{ version: string; standby: boolean; role: string; may_create: boolean }>(pool, {
    text: `select current_setting('server_version') as version, pg_is_in_recovery() as standby, current_user as role,
      has_schema_privilege('public', 'create') as may_create`,
  })
  const findings: Finding[] = [
    {
      check: 'database',
      verdict: server?.standby ? 'fail' : 'ok',
      finding: `PostgreSQL ${server?.version}, role ${server?.role}`,
      advice: 'This server is a standby and takes no writes: point DATABASE_URL at the primary.',
    },
    {
      check: 'rights',
      verdict: server?.may_create ? 'ok' : 'warn',
      finding: server?.may_create ? 'may migrate' : 'may not create in the schema public',
      advice: `Before the next migration an administrator runs: grant create, usage on schema public to "${server?.role}"`,
    },
  ]
  const client = await pool.connect()
  const migrations = await inspectMigrations(client).finally(() => client.release())
  findings.push(migrations)
  return migrations.verdict === 'ok'
    ? [...findings, await inspectKeys(pool, config, log), ...(await inspectLog(pool))]
    : findings
}

async function inspectMigrations(client: PoolClient): Promise<Finding> {
  const check = 'migrations'
  try {
    const pending = await pendingMigrations(client)
    if (pending.length === 0) await refuseForeignSchema(client)
    return {
      check,
      verdict: pending.length === 0 ? 'ok' : 'warn',
      finding: pending.length === 0 ? 'up to date' : `${pending.length} to apply: ${pending.join(', ')}`,
      advice: 'Run: rootstream migrate (a start does it too)',
    }
  } catch (error) {
    return failed(check, error)
  }
}

/** Whether a node could open what is sealed in this log. Makes no ring, as a start would where none is needed yet. */
async function inspectKeys(pool: Pool, config: Config, log: Logger): Promise<Finding> {
  const check = 'keys'
  const store = createPgNamingKey(pool)
  if ((await store.read()) === undefined) return { check, verdict: 'ok', finding: 'none needed yet' }
  try {
    const { source } = await openKeyRing({ source: config.keys, store, clock: systemClock, log })
    return { check, verdict: 'ok', finding: `those of the log, in ${source}` }
  } catch (error) {
    return failed(check, error)
  }
}

function failed(check: string, error: unknown): Finding {
  if (!(error instanceof AppError)) throw error
  return { check, verdict: 'fail', finding: error.code, advice: error.message }
}

async function inspectLog(pool: Pool): Promise<readonly Finding[]> {
  const [log] = await query<{
    head: number
    projected: number
    parked: number
    overdue: number
    retried: number
    leases: number
    unknown_users: number
    sealed: number
    unsealed_since: string | null
    seals_late: boolean | null
  }>(pool, {
    text: `with tip as (select coalesce((select last_position from audit_seals order by number desc limit 1), 0) as sealed),
      waiting as (select at from events, tip where position > sealed order by position limit 1)
    select
      coalesce((select max(position) from events), 0)::bigint as head,
      coalesce((select position from projection_checkpoints where name = 'read_tables'), 0)::bigint as projected,
      (select count(*) from projection_failures) as parked,
      (select count(*) from timers where due_at < now() - interval '1 minute' and (taken_until is null or taken_until < now())) as overdue,
      (select count(*) from timers where kind = 'effect' and attempts > 1) as retried,
      (select count(*) from leases where expires_at > clock_timestamp()) as leases,
      (select count(*) from users u where not exists (select from events e where e.actor_type = 'user' and e.actor_id = u.id and e.version = 1)) as unknown_users,
      (select sealed from tip) as sealed,
      (select at from waiting) as unsealed_since,
      (select at < now() - interval '10 minutes' from waiting) as seals_late`,
  })
  if (log === undefined) throw new Error('the database answered nothing')
  const lag = log.head - log.projected
  const parked = await query<{ actor: string; position: number; error: string }>(pool, {
    text: "select actor_type || '/' || actor_id as actor, position, error from projection_failures order by failed_at limit 5",
  })
  return [
    {
      check: 'log',
      verdict: 'ok',
      finding: `${log.head === 0 ? 'empty' : `head at position ${log.head}`}, ${log.leases} leases held`,
    },
    {
      check: 'read tables',
      verdict: lag > LAGGING ? 'warn' : 'ok',
      finding: `${lag} positions behind the log`,
      advice: 'A running node catches up by itself; is one running?',
    },
    {
      check: 'seals',
      verdict: log.sealed > log.head ? 'fail' : log.seals_late ? 'warn' : 'ok',
      finding:
        log.sealed > log.head
          ? `the log ends before its last seal, at position ${log.sealed}`
          : `sealed up to position ${log.sealed}${log.unsealed_since === null ? '' : `, not since ${log.unsealed_since}`}`,
      advice:
        log.sealed > log.head
          ? 'Run: rootstream audit verify'
          : 'A running node seals by itself; is one running? Or run: rootstream audit seal',
    },
    {
      check: 'parked',
      verdict: log.parked === 0 ? 'ok' : 'fail',
      finding:
        log.parked === 0
          ? 'none'
          : `${log.parked} actors: ${parked.map(({ actor, position, error }) => `${actor} at ${position} (${error.slice(0, 120)})`).join('; ')}`,
      advice: 'The log is unharmed. Mend what the error names, then run: rootstream rebuild',
    },
    {
      check: 'timers',
      verdict: log.overdue === 0 ? 'ok' : 'warn',
      finding: log.overdue === 0 ? 'none overdue' : `${log.overdue} overdue by more than a minute`,
      advice: 'They fire as soon as a node runs.',
    },
    {
      check: 'effects',
      verdict: log.retried === 0 ? 'ok' : 'warn',
      finding: log.retried === 0 ? 'none stuck' : `${log.retried} were tried more than once and are not done`,
      advice: 'The log of the node says why; they are tried again by themselves.',
    },
    {
      check: '24.2',
      verdict: log.unknown_users === 0 ? 'ok' : 'warn',
      finding: log.unknown_users === 0 ? 'nothing left to import' : `${log.unknown_users} users have no history`,
      advice: 'Run: rootstream import --dry-run, then rootstream import',
    },
  ]
}

async function redis({ config, log }: CommandContext): Promise<readonly Finding[]> {
  if (config.redis === undefined)
    return [{ check: 'redis', verdict: 'ok', finding: 'not configured: events stay within each node' }]
  const bus = createRedisBus({
    url: config.redis,
    ...(config.redisCa === undefined ? {} : { ca: config.redisCa }),
    // Nobody else is there, whatever doctors look at the same time.
    namespace: randomUUID(),
    key: generateKeySync('hmac', { length: 256 }),
    node: config.node,
    incarnation: 0,
    clock: systemClock,
    log,
  })
  try {
    await bus.start()
    return [
      {
        check: 'redis',
        verdict: bus.healthy ? 'ok' : 'fail',
        finding: bus.healthy ? 'reachable' : 'not reachable',
        advice: 'Check REDIS_URL. The log is untouched; nodes catch up from it.',
      },
    ]
  } finally {
    await bus.stop()
  }
}
