/** `rootstream replay` */
import type { Command } from 'commander'
import { checkHistory, type Drift, type ReplayOptions } from '../../actors/replay.ts'
import { AppError, ERRORS } from '../../core/errors.ts'
import { formatActorRef, parseActorRef } from '../../core/ids.ts'
import { mask } from '../../core/mask.ts'
import type { EventStore } from '../../core/ports.ts'
import { createLogReader, type LogReader } from '../../eventstore/log-reader.ts'
import { actorTypes } from '../../eventstore/reads.ts'
import { entities } from '../../machines/index.ts'
import { unopened } from '../../privacy/unopened.ts'
import { type CommandContext, runs, withLog } from '../command.ts'
import { printable } from '../output.ts'

interface ReplayFlags {
  all?: boolean
  check?: boolean
  /** True where the option stands without an address. */
  from?: string | true
}

export function replayCommand(program: Command): void {
  const command = program
    .command('replay [actor]')
    .description("an actor's history, or whether all of history still leads where it led")
    .option('--all', 'every actor')
    .option('--check', 'replay with the code on disk and compare with the states that were recorded')
    .option('--from [url]', 'check the log of another database, which is only read; without a URL: ROOTSTREAM_FROM_URL')
    .addHelpText(
      'after',
      `
Examples:
  rootstream replay stream/123
  rootstream replay --all --check
  ROOTSTREAM_FROM_URL=postgres://… rootstream replay --check --from    # before a deploy, with the new code

An address in the arguments shows in the process list: one with a password belongs into ROOTSTREAM_FROM_URL.
Exit code ${ERRORS.history_drift.exitCode} where history leads elsewhere; the first event that differs is named.`,
    )
  runs<ReplayFlags, [string | undefined]>(command, async (context, { all, check, from }, address) => {
    if (from !== undefined && check !== true) throw new AppError('invalid_input', '--from goes with --check.')
    if (from === undefined ? (address === undefined) !== (all === true) : address !== undefined && all === true)
      throw new AppError('invalid_input', 'Name one actor (stream/123), or say --all.')
    if (check !== true && address === undefined)
      throw new AppError('invalid_input', '--all goes with --check; the whole log is read by: rootstream audit')
    if (from !== undefined)
      await withLogReader(context, from, async reader =>
        checkCommand(context, unopened(reader, entities), await reader.actorTypes(), address),
      )
    else
      await withLog(context, async store =>
        check === true
          ? checkCommand(context, store, await actorTypes(store.pool), address)
          : historyCommand(context, store, address ?? ''),
      )
  })
}

async function withLogReader(
  { config, log }: CommandContext,
  given: string | true,
  work: (reader: LogReader) => Promise<void>,
): Promise<void> {
  const url = given === true ? config.from : given
  if (url === undefined)
    throw new AppError('invalid_input', '--from has no address: give it one, or set ROOTSTREAM_FROM_URL.')
  const reader = await createLogReader({ url, log }).catch(error => {
    // What is told of the node's own database is true of this one, but for the name of its variable.
    if (!(error instanceof AppError)) throw error
    const message = error.message.replaceAll('DATABASE_URL', 'the address of --from')
    throw new AppError(error.code, `The log of --from cannot be checked. ${message}`, {
      cause: error,
      details: { ...error.details },
    })
  })
  try {
    await work(reader)
  } finally {
    await reader.close()
  }
}

async function checkCommand(
  { out }: CommandContext,
  store: ReplayOptions['store'] & Pick<EventStore, 'head'>,
  types: readonly string[],
  address: string | undefined,
): Promise<void> {
  const head = await store.head()
  const report = await checkHistory({
    store,
    entities,
    types,
    ...(address === undefined ? {} : { actor: parseActorRef(address) }),
    onProgress: ({ actors, events }) => out.progress(`${actors} actors, events`, events, Math.max(head, events)),
  })
  const [first] = report.drift
  if (first !== undefined || report.wrongSnapshots.length > 0) process.exitCode = ERRORS.history_drift.exitCode
  out.result({ ...report, first: first ?? null }, () => {
    out.line(`${report.events} events of ${report.actors} actors replayed, ${report.snapshots} snapshots compared`)
    if (first !== undefined) out.line(printable(firstDrift(first, report.drifted)))
    for (const { message } of report.drift) out.line(printable(message))
    if (report.drifted > report.drift.length) out.line(`… and ${report.drifted - report.drift.length} more actors`)
    for (const actor of report.wrongSnapshots)
      out.line(
        `The snapshot of ${actor} is not what its events lead to. The log is unharmed; delete the row from actor_snapshots.`,
      )
    if (first === undefined && report.wrongSnapshots.length === 0) out.line('History leads where it led.')
  })
}

function firstDrift({ actor, version, position, type, recorded, recomputed }: Drift, actors: number): string {
  const now = recomputed === null ? 'with this code it is not taken' : `with this code to '${recomputed}'`
  return `${actors} ${actors === 1 ? 'actor has' : 'actors have'} drifted. First event that differs: ${actor} version ${version}, position ${position}: ${type} led to '${recorded}', ${now}.`
}

async function historyCommand({ out }: CommandContext, store: EventStore, address: string): Promise<void> {
  const ref = parseActorRef(address)
  const events = (await Array.fromAsync(store.readStream(ref)))
    .flat()
    .map(event => ({ ...event, data: mask(event.data) }))
  if (events.length === 0) throw new AppError('not_found', `${formatActorRef(ref)} has no events.`)
  out.result(events, () =>
    out.table(
      events.map(event => ({ ...event, user: event.userId })),
      ['version', 'at', 'type', 'state', 'user', 'data'],
    ),
  )
}
