/** `rootstream replay` */
import type { Command } from 'commander'
import { checkHistory } from '../../actors/replay.ts'
import { AppError, ERRORS } from '../../core/errors.ts'
import { formatActorRef, parseActorRef } from '../../core/ids.ts'
import { mask } from '../../core/mask.ts'
import { entities } from '../../machines/index.ts'
import { type CommandContext, runs, withLog } from '../command.ts'

export function replayCommand(program: Command): void {
  const command = program
    .command('replay [actor]')
    .description("an actor's history, or whether all of history still leads where it led")
    .option('--all', 'every actor')
    .option('--check', 'replay with the code on disk and compare with the states that were recorded')
    .addHelpText(
      'after',
      `\nExamples:\n  rootstream replay stream/123\n  rootstream replay --all --check\n\nExit code ${ERRORS.history_drift.exitCode} where history leads elsewhere; the first event that differs is named.`,
    )
  runs<{ all?: boolean; check?: boolean }, [string | undefined]>(command, async (context, { all, check }, address) => {
    if ((address === undefined) !== (all === true))
      throw new AppError('invalid_input', 'Name one actor (stream/123), or say --all.')
    if (check !== true && address === undefined)
      throw new AppError('invalid_input', '--all goes with --check; the whole log is read by: rootstream audit')
    await withLog(context, store =>
      check === true ? checkCommand(context, store, address) : historyCommand(context, store, address ?? ''),
    )
  })
}

type Store = Parameters<Parameters<typeof withLog>[1]>[0]

async function checkCommand({ out }: CommandContext, store: Store, address: string | undefined): Promise<void> {
  const report = await checkHistory({
    store,
    entities,
    ...(address === undefined ? {} : { actor: parseActorRef(address) }),
    onProgress: ({ actors, events }) => out.progress(`${events} events`, actors, actors),
  })
  if (report.drift.length > 0 || report.wrongSnapshots.length > 0) process.exitCode = ERRORS.history_drift.exitCode
  out.result(report, () => {
    out.line(`${report.events} events of ${report.actors} actors replayed, ${report.snapshots} snapshots compared`)
    for (const { message } of report.drift) out.line(message)
    for (const actor of report.wrongSnapshots)
      out.line(
        `The snapshot of ${actor} is not what its events lead to. The log is unharmed; delete the row from actor_snapshots.`,
      )
    if (report.drift.length === 0 && report.wrongSnapshots.length === 0) out.line('History leads where it led.')
  })
}

async function historyCommand({ out }: CommandContext, store: Store, address: string): Promise<void> {
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
