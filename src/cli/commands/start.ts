/** `rootstream start` */
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Command } from 'commander'
import { createNode, type RuntimeNode } from '../../app.ts'
import type { Config } from '../../config.ts'
import type { Logger } from '../../core/ports.ts'
import { type HttpServer, startHttpServer } from '../../http/server.ts'
import { createLogger } from '../../logging.ts'
import { redactUrl } from '../../redaction.ts'
import { runs, sending } from '../command.ts'
import { prepareHome } from '../database.ts'
import type { Output } from '../output.ts'

/** As `ROOTSTREAM_TOKEN` has it. */
const SHORTEST_TOKEN = 16

export function startCommand(program: Command): void {
  const command = program
    .command('start')
    .description('run a node: its database, its HTTP API, its projections and timers')
    .addHelpText(
      'after',
      '\nWithout DATABASE_URL it brings a Postgres of its own, with its data under .rootstream.\nWith OTEL_EXPORTER_OTLP_ENDPOINT it sends traces there.\nWhere Postgres goes away, it takes what can be merged for ROOTSTREAM_CLOCK_LEASE_MINUTES (60).\nWith ROOTSTREAM_LEGACY_REDIS=true it keeps the Redis keys of 24.2 up to date, for its readers.\nWith SMTP_URL it sends mails, with ROOTSTREAM_SMS_WEBHOOK text messages.\nWith ROOTSTREAM_PUBLIC_URL users have passkeys, and mails links.\nIt stops in order on SIGINT or SIGTERM; a second signal ends it at once.',
    )
  runs(command, async ({ config, out }) => {
    const log = createLogger({ level: config.logLevel, node: config.node })
    for (const warning of config.warnings) log.warn({}, warning)
    const home = prepareHome(config.home)
    const tokenFile = path.join(home, 'token')
    const token = config.token ?? ownToken(tokenFile)
    const stopped = stopSignal(log)
    const node = await createNode({
      home,
      name: config.node,
      keys: config.keys,
      log,
      ...sending(config),
      ...(config.database === undefined ? {} : { database: config.database }),
      ...(config.readPatienceMs === undefined ? {} : { readPatienceMs: config.readPatienceMs }),
      ...(config.redis === undefined ? {} : { redis: config.redis }),
      ...(config.redisCa === undefined ? {} : { redisCa: config.redisCa }),
      legacyRedis: config.legacyRedis,
      ...(config.geoDatabase === undefined ? {} : { geoDatabase: config.geoDatabase }),
      ...(config.clockLeaseMs === undefined ? {} : { clockLeaseMs: config.clockLeaseMs }),
      ...(config.tracing === undefined ? {} : { tracing: config.tracing }),
    })
    try {
      const server = await startHttpServer({
        ...{ node, ...config.http, socket: config.socket, token, log },
        trustedProxies: config.trustedProxies,
      })
      try {
        announce(out, config, node, server, tokenFile)
        await stopped
        log.info({}, 'stopping')
      } finally {
        await server.close()
      }
    } finally {
      await node.close()
    }
  })
}

/** The token of this home, made once and whole; only its owner can read it. What a full disk left of one is made anew. */
function ownToken(file: string): string {
  if (existing(file).length < SHORTEST_TOKEN) {
    const draft = `${file}.${process.pid}`
    try {
      writeFileSync(draft, randomBytes(32).toString('base64url'), { mode: 0o600, flush: true })
      renameSync(draft, file)
    } finally {
      rmSync(draft, { force: true })
    }
  }
  return existing(file)
}

function existing(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : ''
}

/** Resolves at the first signal. Ctrl-C under npm arrives twice, from the terminal and from npm: only one well after it forces. */
function stopSignal(log: Logger): Promise<void> {
  const GRACE_MS = 500
  return new Promise(resolve => {
    let first: number | undefined
    const onSignal = (signal: NodeJS.Signals) => {
      if (first === undefined) {
        first = performance.now()
        resolve()
      } else if (performance.now() - first > GRACE_MS) {
        log.warn({ signal }, 'stopped at once; the next start recovers what was under way')
        process.exit(130)
      }
    }
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal)
  })
}

function announce(out: Output, config: Config, node: RuntimeNode, server: HttpServer, tokenFile: string): void {
  const database =
    config.database === undefined
      ? `embedded Postgres, data in ${path.join(config.home, 'postgres')}`
      : redactUrl(config.database)
  const ready = {
    node: node.name,
    incarnation: node.incarnation,
    pid: process.pid,
    http: server.url,
    socket: server.socket ?? null,
    tokenFile: config.token === undefined ? tokenFile : null,
    database,
  }
  out.result(ready, () => {
    const token = config.token === undefined ? `$(cat ${quoted(tokenFile)})` : '$ROOTSTREAM_TOKEN'
    const curl =
      server.socket === undefined
        ? `curl -H "Authorization: Bearer ${token}" ${server.url}`
        : `curl --unix-socket ${quoted(server.socket)} http://localhost`
    out.line(`RootStream Runtime is running: node ${node.name}, start ${node.incarnation}

  HTTP      ${server.url}   (token in ${config.token === undefined ? tokenFile : 'ROOTSTREAM_TOKEN'})
  socket    ${server.socket ?? 'none'}
  database  ${database}
  redis     ${config.redis === undefined ? 'none: events stay within this node' : redactUrl(config.redis)}

Try, in another terminal:

  ${curl}/health
  ${curl}/v1/actors/user -H 'content-type: application/json' \\
    -d '{"type":"user.registered","username":"ada","email":"ada@example.org","passwordHash":"x"}'
  npx . actors list user
  npx . audit

Ctrl-C stops it.`)
  })
}

/** As a shell takes it for one word. */
function quoted(text: string): string {
  return /^[\w./:@+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
