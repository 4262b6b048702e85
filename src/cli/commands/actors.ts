/** `rootstream actors list | show | snapshot | send` */
import { readFileSync, writeFileSync } from 'node:fs'
import { type Command, Option } from 'commander'
import type { ActorView } from '../../actors/api.ts'
import { AppError } from '../../core/errors.ts'
import { formatActorRef, parseActorRef } from '../../core/ids.ts'
import { isJsonObject } from '../../core/json.ts'
import { mask } from '../../core/mask.ts'
import type { CommandResult } from '../../core/result.ts'
import type { OutgoingEvent } from '../../machines/define.ts'
import { maskSnapshot } from '../../snapshots/snapshot.ts'
import { encodeSnapshot } from '../../snapshots/snapshot-bytes.ts'
import { runs, withNode } from '../command.ts'
import { isoTime, pageSize, wholeNumber } from '../option-values.ts'
import type { Output } from '../output.ts'
import { showDiff } from './show-diff.ts'

export function actorsCommand(program: Command): void {
  const actors = program.command('actors').description('look at actors and send them events')

  const list = actors
    .command('list <type>')
    .description('actors of a type, by id')
    .option('--after <id>', 'start after this id', wholeNumber, 0)
    .option('--limit <n>', 'at most this many, up to 1000', pageSize, 100)
    .addHelpText('after', '\nExample:\n  rootstream actors list stream --limit 20')
  runs<{ after: number; limit: number }, [string]>(list, (context, { after, limit }, type) =>
    withNode(context, async node => {
      if (!node.actors.entities.has(type)) throw unknownType(type, [...node.actors.entities.keys()])
      const found = await node.log.listActors(type, after, limit)
      context.out.result(found, () =>
        context.out.table(
          found.map(head => ({ ...head })),
          ['id', 'version', 'state', 'at'],
        ),
      )
    }),
  )

  const show = actors
    .command('show <actor>')
    .description('the state of an actor, now or as it was')
    .option('--version <n>', 'as it was at this version', wholeNumber)
    .addOption(new Option('--at <time>', 'as it was at this time (ISO 8601)').argParser(isoTime).conflicts('version'))
    .addOption(new Option('--diff <versions...>', 'what changed between two versions').conflicts(['version', 'at']))
    .addHelpText(
      'after',
      '\nExamples:\n  rootstream actors show stream/123\n  rootstream actors show stream/123 --at 2026-11-20T10:00:00Z\n  rootstream actors show stream/123 --diff 3 7',
    )
  runs<{ version?: number; at?: string; diff?: string[] }, [string]>(show, (context, { version, at, diff }, address) =>
    withNode(context, async node => {
      const ref = parseActorRef(address)
      const actor = node.actor(ref.type, ref.id)
      if (diff !== undefined) return showDiff(context.out, actor, diff)
      const view =
        version !== undefined
          ? await actor.stateAt({ version })
          : at !== undefined
            ? await actor.stateAt({ at })
            : await actor.state()
      if (view.version === 0)
        throw new AppError(
          'not_found',
          `${address} has no events${version === undefined && at === undefined ? '' : ' then'}.`,
        )
      if (version !== undefined && view.version !== version)
        throw new AppError('not_found', `${address} has no version ${version}; its last is ${view.version}.`)
      context.out.result(viewDocument(view), () => showView(context.out, view))
    }),
  )

  const snapshot = actors
    .command('snapshot <actor>')
    .description('the whole state of an actor as a copy to keep; secrets are masked')
    .option('--out <file>', 'write the compressed form to this file')
    .addHelpText(
      'after',
      '\nExamples:\n  rootstream actors snapshot stream/1\n  rootstream actors snapshot stream/1 --out stream-1.rss',
    )
  runs<{ out?: string }, [string]>(snapshot, (context, { out: file }, address) =>
    withNode(context, async node => {
      const ref = parseActorRef(address)
      const taken = maskSnapshot(await node.getSnapshot(ref.type, ref.id))
      if (file === undefined) return context.out.result(taken, () => context.out.line(JSON.stringify(taken, null, 2)))
      const bytes = encodeSnapshot(taken)
      writeOut(file, bytes)
      context.out.result({ actor: address, version: taken.version, file, bytes: bytes.length }, () =>
        context.out.line(`${address} at version ${taken.version} is in ${file} (${bytes.length} bytes)`),
      )
    }),
  )

  const send = actors
    .command('send <target> <eventType> [data]')
    .description(
      'send an event to an actor (stream/123) or create one (stream); data is JSON, or @file, or @- for standard input',
    )
    .option('--command-id <id>', 'sending it again under this id changes nothing')
    .option('--user <id>', 'the user on whose behalf', wholeNumber)
    .option('--expected-version <n>', 'only if the actor has this version', wholeNumber)
    .addHelpText(
      'after',
      `\nExamples:\n  rootstream actors send stream stream.created '{"userId":1,"name":"Mine","streamKey":"k"}'\n  rootstream actors send stream/1 stream.started '{"bitrateKbps":6000}' --command-id start-1`,
    )
  runs<{ commandId?: string; user?: number; expectedVersion?: number }, [string, string, string | undefined]>(
    send,
    async (context, { commandId, user, expectedVersion }, target, type, data) => {
      const event = { ...parseData(data), type } as OutgoingEvent
      await withNode(context, async node => {
        const options = {
          ...(commandId === undefined ? {} : { commandId }),
          ...(user === undefined ? {} : { userId: user }),
          ...(expectedVersion === undefined ? {} : { expectedVersion }),
        }
        const ref = target.includes('/') ? parseActorRef(target) : undefined
        const result =
          ref === undefined
            ? await node.create(target, event, options)
            : await node.actor(ref.type, ref.id).send(event, options)
        if (result.ok && !result.tentative) await node.projections.caughtUp(result.event.position)
        else if (!result.ok) process.exitCode = 5
        context.out.result(resultDocument(result), () => showResult(context.out, result))
      })
    },
  )
}

function resultDocument(result: CommandResult): object {
  if (!result.ok) return { ...result, actor: formatActorRef(result.actor) }
  const { event, repeated } = result
  if (result.tentative)
    return {
      ok: true,
      actor: formatActorRef(result.actor),
      tentative: true,
      basis: result.basis,
      state: event.state,
      at: event.at,
      repeated,
    }
  return {
    ok: true,
    actor: formatActorRef(result.actor),
    version: result.event.version,
    position: result.event.position,
    state: event.state,
    at: event.at,
    repeated,
    ...(result.absorbed === undefined ? {} : { absorbed: formatActorRef(result.absorbed) }),
  }
}

function showResult(out: Output, result: CommandResult): void {
  if (result.tentative) {
    out.line(
      `${formatActorRef(result.actor)} is ${result.event.state} here. Postgres is away: the event is in the journal of this node and goes to the log when that is back.`,
    )
    return
  }
  if (result.ok) {
    out.line(
      `${formatActorRef(result.actor)} is ${result.event.state} at version ${result.event.version}${result.repeated ? ' (this command had been taken before)' : ''}`,
    )
    return
  }
  out.line(`Refused (${result.reason}${result.detail === undefined ? '' : `: ${result.detail}`}). Nothing was written.`)
  out.line(
    `${formatActorRef(result.actor)} is ${result.state} at version ${result.version}, which takes: ${result.allowed.join(', ') || 'nothing'}`,
  )
}

function viewDocument({ ref, version, state, context, allowed, at, pending }: ActorView): object {
  const view = { actor: formatActorRef(ref), version, state, context: mask(context), allowed, at }
  return pending === undefined ? view : { ...view, tentative: true, pending }
}

function showView(out: Output, view: ActorView): void {
  out.line(`${formatActorRef(view.ref)}  ${view.state}  version ${view.version}  ${view.at ?? ''}`)
  if (view.pending !== undefined)
    out.line(`not in the log yet: ${view.pending.own} of this node, ${view.pending.others} of others`)
  out.line(JSON.stringify(mask(view.context), null, 2))
  out.line(`takes: ${view.allowed.join(', ') || 'nothing'}`)
}

function parseData(data: string | undefined): object {
  if (data === undefined) return {}
  const text = data === '@-' ? readData(0) : data.startsWith('@') ? readData(data.slice(1)) : data
  try {
    const value: unknown = JSON.parse(text)
    if (isJsonObject(value)) return value
  } catch {
    // Falls through to the one message for everything that is no JSON object.
  }
  throw new AppError(
    'invalid_input',
    'The data of an event is a JSON object, for example \'{"name":"Mine"}\'. Nothing was changed.',
  )
}

function readData(file: string | 0): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    const named = file === 0 ? 'standard input' : file
    throw new AppError(
      'invalid_input',
      `The data of the event cannot be read from ${named} (${(cause as Error).message}). Nothing was changed.`,
      { cause },
    )
  }
}

function writeOut(file: string, bytes: Buffer): void {
  try {
    writeFileSync(file, bytes)
  } catch (cause) {
    throw new AppError('invalid_input', `${file} cannot be written. Nothing else was changed; name another file.`, {
      cause,
    })
  }
}

function unknownType(type: string, known: readonly string[]): AppError {
  return new AppError('unknown_type', `There is no entity '${type}'. There are: ${known.join(', ')}.`)
}
