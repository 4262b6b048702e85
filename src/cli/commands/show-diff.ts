/** `rootstream actors show <actor> --diff <from> <to>` */
import type { ActorHandle, ActorView } from '../../actors/api.ts'
import { AppError } from '../../core/errors.ts'
import { formatActorRef } from '../../core/ids.ts'
import type { Json } from '../../core/json.ts'
import { diffStates } from '../../core/state-diff.ts'
import type { Output } from '../output.ts'

/** Throws AppError `invalid_input` unless there are two versions in order, `not_found` for one the actor does not have. */
export async function showDiff(out: Output, actor: ActorHandle, given: readonly string[]): Promise<void> {
  const [from, to] = readVersions(given)
  const before = await stateAt(actor, from)
  const after = await stateAt(actor, to)
  const { state, changes } = diffStates(before, after)
  const events = (await Array.fromAsync(actor.history({ from: from + 1, to })))
    .flat()
    .map(({ version, at, userId, type, position }) => ({ version, at, user: userId, type, position }))
  const point = (view: ActorView) => ({ version: view.version, state: view.state, at: view.at })
  const document = {
    actor: formatActorRef(actor.ref),
    from: point(before),
    to: point(after),
    ...(state === undefined ? {} : { state }),
    changes: changes.map(({ path, ...values }) => ({ path: path.join('.'), ...values })),
    events,
  }
  out.result(document, () => {
    out.line(`${document.actor}  version ${from} → ${to}`)
    out.line(state === undefined ? `state: ${after.state}, as before` : `state: ${state.before} → ${state.after}`)
    if (changes.length === 0) out.line('The context is the same.')
    else
      out.table(
        document.changes.map(change => ({
          path: change.path,
          before: shown(change.before),
          after: shown(change.after),
        })),
        ['path', 'before', 'after'],
      )
    if (events.length === 0) return
    out.line('')
    out.table(events, ['version', 'at', 'user', 'type'])
  })
}

function readVersions(given: readonly string[]): [from: number, to: number] {
  const [from, to, ...more] = given.map(text => (/^v?\d{1,9}$/.test(text) ? Number(text.replace('v', '')) : Number.NaN))
  if (from !== undefined && to !== undefined && more.length === 0 && from <= to) return [from, to]
  throw new AppError('invalid_input', '--diff takes two versions of the actor, the earlier one first: --diff 3 7.')
}

async function stateAt(actor: ActorHandle, version: number): Promise<ActorView> {
  const view = await actor.stateAt({ version })
  if (view.version === version && version > 0) return view
  const { version: newest } = await actor.state()
  const address = formatActorRef(actor.ref)
  throw new AppError(
    'not_found',
    newest === 0
      ? `${address} has no events.`
      : `${address} has no version ${version}. It has the versions 1 to ${newest}.`,
  )
}

// An empty text and a path that is not there must not look the same.
function shown(value: Json | undefined): string {
  return value === undefined ? '(none)' : JSON.stringify(value)
}
