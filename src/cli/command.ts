/** What every command gets, and what it works on. */
import type { Command } from 'commander'
import { createNode, type RuntimeNode } from '../app.ts'
import { type Config, loadConfig } from '../config.ts'
import type { Logger } from '../core/ports.ts'
import { createPgEventStore, type PgEventStore } from '../eventstore/pg-event-store.ts'
import { createLogger } from '../logging.ts'
import { entities } from '../machines/index.ts'
import { openPersonalLog } from '../node-log.ts'
import { systemClock } from '../system-clock.ts'
import { withDatabase } from './database.ts'
import { fail } from './failure.ts'
import { createOutput, type Output } from './output.ts'

export interface CommandContext {
  readonly config: Config
  readonly log: Logger
  readonly out: Output
}

/** Adds `--json` and runs the work with its context; ends with the exit code of the error table. */
export function runs<Options extends object, Arguments extends unknown[]>(
  command: Command,
  work: (context: CommandContext, options: Options, ...args: Arguments) => Promise<void>,
): Command {
  return command.option('--json', 'print one JSON document, and errors as JSON').action(async (...given: unknown[]) => {
    const options = given.at(-2) as Options & { json?: boolean }
    const json = options.json === true
    try {
      const config = loadConfig()
      // Commands speak for themselves: only warnings are worth a second voice.
      const log = createLogger({ level: config.logLevel === 'info' ? 'warn' : config.logLevel })
      await work({ config, log, out: createOutput(json) }, options, ...(given.slice(0, -2) as Arguments))
    } catch (error) {
      fail(error, json)
    }
  })
}

/** What a node of the command line sends by, and what the environment says of accounts: owners are told of what is done to their accounts from here, too. */
export function sending({ mail, sms, accounts }: Config) {
  return {
    ...(mail === undefined ? {} : { mail }),
    ...(sms === undefined ? {} : { sms }),
    accounts,
  }
}

/** Runs work with a node of its own on the database; other nodes may run on it at the same time. */
export function withNode(context: CommandContext, work: (node: RuntimeNode) => Promise<void>): Promise<void> {
  const { config, log } = context
  return withDatabase(config, log, async database => {
    const node = await createNode({
      database,
      name: config.node,
      keys: config.keys,
      ...sending(config),
      log,
      ...(config.redis === undefined ? {} : { redis: config.redis }),
      ...(config.redisCa === undefined ? {} : { redisCa: config.redisCa }),
      ...(config.tracing === undefined ? {} : { tracing: config.tracing }),
    })
    try {
      await work(node)
    } finally {
      await node.close()
    }
  })
}

/** Runs work with the log alone: nothing is projected, fired or run beside it. */
export function withLog(context: CommandContext, work: (store: PgEventStore) => Promise<void>): Promise<void> {
  const { config, log } = context
  return withStoredLog(context, async stored => {
    const { store } = await openPersonalLog(stored, { keys: config.keys, entities, clock: systemClock, log })
    await work(store)
  })
}

/** The same without the key ring: personal data stays sealed. */
export function withStoredLog(context: CommandContext, work: (store: PgEventStore) => Promise<void>): Promise<void> {
  const { config, log } = context
  return withDatabase(config, log, async url => {
    const store = await createPgEventStore({ url, node: config.node, clock: systemClock, log })
    try {
      await work(store)
    } finally {
      await store.close()
    }
  })
}
