/** `rootstream conflicts list | settle` */
import { type Command, Option } from 'commander'
import type { ActorView } from '../../actors/api.ts'
import type { RuntimeNode } from '../../app.ts'
import { AppError } from '../../core/errors.ts'
import { actorId } from '../../core/ids.ts'
import type { JsonObject } from '../../core/json.ts'
import { mask } from '../../core/mask.ts'
import { runs, withNode } from '../command.ts'
import { pageSize, wholeNumber } from '../option-values.ts'

const TYPE = 'conflict'
const PAGE = 1_000

interface Listed {
  readonly id: number
  readonly status: string
  readonly actor: string
  readonly event: string
  readonly strategy: string
  readonly winner: string
  readonly loser: JsonObject
  readonly basis: number
  readonly version: number
  readonly kept: string | null
}

export function conflictsCommand(program: Command): void {
  const conflicts = program
    .command('conflicts')
    .description('what merging could not keep of both sides after Postgres was away')

  const list = conflicts
    .command('list')
    .description('open conflicts, by id')
    .option('--all', 'settled ones and absorbed events too')
    .option('--after <id>', 'start after this id', wholeNumber, 0)
    .option('--limit <n>', 'at most this many, up to 1000', pageSize, 100)
    .addHelpText(
      'after',
      '\nThe winner is what the actor says now: the log, or the event that was accepted while Postgres was away.\nThe loser is what the other side wanted its fields to be; of a set (orSet), the members in contest.\n\nExample:\n  rootstream conflicts list',
    )
  runs<{ all?: boolean; after: number; limit: number }, []>(list, (context, { all, after, limit }) =>
    withNode(context, async node => {
      const found = await find(node, after, Math.min(limit, PAGE), all === true)
      context.out.result(found, () =>
        context.out.table(
          found.map(row => ({ ...row, loser: JSON.stringify(row.loser) })),
          ['id', 'status', 'actor', 'event', 'strategy', 'winner', 'loser'],
        ),
      )
    }),
  )

  const settle = conflicts
    .command('settle <id>')
    .description('say which side of a conflict is kept')
    .addOption(
      new Option('--keep <side>', 'log: what was in the log; event: what was accepted beside it')
        .choices(['log', 'event'])
        .makeOptionMandatory(),
    )
    .option('--user <id>', 'the user on whose behalf', wholeNumber)
    .addHelpText(
      'after',
      "\nWhere the side that is kept is the one that lost, its fields are sent to the actor as a command of today's; of a set, the members in contest are put back, and all others stay.\n\nExample:\n  rootstream conflicts settle 3 --keep event",
    )
  runs<{ keep: string; user?: number }, [string]>(settle, (context, { keep, user }, id) =>
    withNode(context, async node => {
      const actor = node.actor(TYPE, actorId(id))
      if ((await actor.state()).version === 0) throw new AppError('not_found', `There is no conflict ${id}.`)
      const result = await actor.send({ type: 'conflict.settled', keep }, user === undefined ? {} : { userId: user })
      if (!result.ok) throw new AppError('conflict', `Conflict ${id} is ${result.state} already. Nothing was changed.`)
      await node.actors.effectsIdle()
      const view = await actor.state()
      context.out.result({ ...listed(view), taken: view.context['taken'] ?? null }, () =>
        context.out.line(told(view, keep)),
      )
    }),
  )
}

async function find(node: RuntimeNode, after: number, limit: number, all: boolean): Promise<readonly Listed[]> {
  const found: Listed[] = []
  for (let from = after; found.length < limit; ) {
    const heads = await node.log.listActors(TYPE, from, PAGE)
    for (const { id, state } of heads) {
      from = id
      if (!all && state === 'settled') continue
      found.push(listed(await node.actor(TYPE, id).state()))
      if (found.length === limit) break
    }
    if (heads.length < PAGE) break
  }
  return found
}

function listed({ ref, state, context }: ActorView): Listed {
  const row = mask(context)['row'] as JsonObject
  return {
    id: ref.id,
    status: state,
    actor: `${row['actor_type']}/${row['actor_id']}`,
    event: String(row['event_type']),
    strategy: String(row['strategy']),
    winner: String(row['winner']),
    loser: row['loser'] as JsonObject,
    basis: Number(row['basis']),
    version: Number(row['version']),
    kept: row['kept'] as string | null,
  }
}

function told(view: ActorView, keep: string): string {
  const { id, actor, status } = listed(view)
  if (status === 'settling') return `Conflict ${id} is being settled: the command to ${actor} is under way.`
  const { taken } = view.context
  if (taken === null || taken === undefined) return `Conflict ${id} is settled: ${actor} keeps what it says.`
  return taken === true
    ? `Conflict ${id} is settled: ${actor} was given the fields of the ${keep}.`
    : `Conflict ${id} is settled, but ${actor} did not take the fields of the ${keep}: its state does not allow it any more.`
}
