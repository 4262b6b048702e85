/** Which answer a request must get in a world, and whether the answers of an exchange fit the events it left in the log. */
import assert from 'node:assert/strict'
import type { LogEvent } from '../../src/core/event.ts'
import type { CommandResult, Refusal } from '../../src/core/result.ts'
import type { OutgoingEvent } from '../../src/machines/define.ts'
import { isOwed } from './duties.ts'
import { formOf, forms, KNOWN_FOR_MS } from './erasure.ts'
import { allowedIn, transition } from './rules.ts'
import { after, heldNames, isThere, type Step, standing, stepOf, type World } from './world.ts'

export interface Request {
  /** Undefined where the client does not care to send it again. */
  readonly commandId: string | undefined
  readonly type: string
  /** Undefined for an actor that is to be created. */
  readonly id: number | undefined
  readonly event: OutgoingEvent
  readonly expectedVersion: number | undefined
}

/** What came back; `error` is the code of an AppError. */
export type Answer = CommandResult | { readonly error: string }

interface RefusedAs {
  readonly reason: Refusal['reason']
  readonly version: number
  readonly state: string
  /** Any of these; where two names are taken, either may be told. */
  readonly details: readonly (string | undefined)[]
}

type Expected = 'taken' | 'repeated' | 'reused' | RefusedAs

export function spentOn(world: World, { commandId }: Request): Step | undefined {
  const event = commandId === undefined ? undefined : world.spent.get(commandId)
  return event && stepOf(world, event)
}

/** @param at time of the event, if there will be one */
export function expected(world: World, request: Request, at: string): Expected {
  const { type, id, event, expectedVersion } = request
  const spent = spentOn(world, request)
  if (spent !== undefined)
    return forms(world, spent, at, KNOWN_FOR_MS).every(form => isSame(form, request)) ? 'repeated' : 'reused'
  const now = standing(world, type, id)
  const refused = (reason: Refusal['reason'], ...details: string[]): RefusedAs => ({
    reason,
    version: now.version,
    state: now.state,
    details: details.length === 0 ? [undefined] : details,
  })
  if (expectedVersion !== undefined && expectedVersion !== now.version) return refused('wrong_version')
  const { type: eventType, ...data } = event
  const next = transition(type, now, eventType, data, at)
  if (next === undefined) return refused('not_allowed')
  const owner = Number(event['userId'])
  if (event.type.endsWith('.created') && !isThere(world, 'user', owner))
    return refused('unknown_reference', `user/${owner}`)
  // Asked of the world this would lead to, so that the rule for names is written once.
  const held = heldNames(world)
  const wanted = standing(after(world, imagined(world, request, next.state, at)), type, id ?? NOBODY).names
  const taken = wanted.filter(name => (held.get(name) ?? `${type}/${id}`) !== `${type}/${id}`)
  return taken.length === 0 ? 'taken' : refused('claimed', ...taken.map(name => name.split(' ')[0] ?? ''))
}

const NOBODY = 999_999_999

/** The world this leads to if nothing comes in between. An actor that is to be created has no id yet, and is left out. */
export function foreseen(world: World, request: Request, at: string): World {
  if (request.id === undefined || expected(world, request, at) !== 'taken') return world
  const { type: _, ...data } = request.event
  const next = transition(request.type, standing(world, request.type, request.id), request.event.type, data, at)
  return next === undefined ? world : after(world, imagined(world, request, next.state, at))
}

function imagined(world: World, { type, id, event, commandId }: Request, state: string, at: string): LogEvent {
  const { type: eventType, ...data } = event
  const version = standing(world, type, id).version + 1
  const of = { actorType: type, actorId: (id ?? NOBODY) as LogEvent['actorId'], version, position: world.position + 1 }
  const envelope = { schemaVersion: 1, node: '', incarnation: 0, n: 0, token: null }
  const cause = { userId: null, causation: null, correlation: null }
  return { ...of, ...envelope, ...cause, type: eventType, data, state, at, commandId: commandId ?? null }
}

function isSame(event: LogEvent, { type, id, event: { type: eventType, ...data } }: Request): boolean {
  const sameActor = event.actorType === type && (id === undefined ? event.version === 1 : event.actorId === id)
  // What was erased can be compared no more.
  const sameData = event.erased === true || JSON.stringify(sorted(event.data)) === JSON.stringify(sorted(data))
  return sameActor && event.type === eventType && sameData
}

function sorted(data: object): object {
  return Object.fromEntries(Object.entries(data).sort(([a], [b]) => (a < b ? -1 : 1)))
}

export interface Exchange {
  /** All that each request was answered with; more than one where it was sent more than once. */
  readonly answers: ReadonlyMap<Request, readonly Answer[]>
  /** What the log has since the world before. */
  readonly events: readonly LogEvent[]
  /** Between which times the events happened; answers were given at the last, for time stands still meanwhile. */
  readonly since: string
  readonly until: string
}

/** The world after an exchange. Throws where the log has something that nobody asked for, or an answer does not fit the log. */
export function settled(before: World, { answers, events, since, until }: Exchange): World {
  const requests = [...answers.keys()]
  const worlds = [before]
  let world = before
  for (const read of events) {
    const request = requests.find(asked => isOutcome(read, asked, answers.get(asked) ?? []))
    const event = asGiven(read, request)
    assert.ok(since <= event.at && event.at <= until, `not its time: ${JSON.stringify(event)}`)
    if (request === undefined) assert.ok(isOwed(world, event), `nobody asked for it: ${JSON.stringify(event)}`)
    else {
      assert.ok(isSame(event, request), `not what was asked for: ${JSON.stringify({ event, request })}`)
      const wanted = expected(
        world,
        { ...request, ...(request.id === undefined ? {} : { id: event.actorId }) },
        event.at,
      )
      assert.equal(wanted, 'taken', `should not have been taken: ${JSON.stringify({ request, wanted })}`)
    }
    world = after(world, event)
    worlds.push(world)
  }
  for (const event of events) checkRead(world, event, until)
  for (const [request, given] of answers) {
    for (const answer of given) checkAnswer(worlds, request, answer, until)
    const told = given.filter(answer => 'event' in answer)
    const isInLog = events.some(event => isOutcome(event, request, given))
    assert.ok(!isInLog || told.length > 0, `in the log, though refused: ${JSON.stringify({ request, given })}`)
    const firsts = told.filter(({ repeated }) => !repeated)
    assert.ok(
      firsts.length <= 1 || request.commandId === undefined,
      `taken more than once: ${JSON.stringify({ request, given })}`,
    )
  }
  return world
}

/** An event that was erased before it was read: what it said is what was asked for. */
function asGiven(event: LogEvent, request: Request | undefined): LogEvent {
  if (event.erased !== true) return event
  const { erased: _, ...kept } = event
  if (request === undefined) return { ...kept, data: { ...event.data, reason: 'user deleted' } }
  const { type: __, ...data } = request.event
  return { ...kept, data }
}

/** An event of the log as it has to be read now, by somebody who keeps no keys. */
export function checkRead(world: World, event: LogEvent, now: string): void {
  const step = stepOf(world, event)
  assert.deepEqual(event, step && formOf(world, step, event, now, 0), 'not read as it should be by now')
}

/** Without a command id only the answer tells what became of a request. */
function isOutcome(event: LogEvent, { commandId }: Request, answers: readonly Answer[]): boolean {
  if (commandId !== undefined) return event.commandId === commandId
  return (
    event.commandId === null &&
    answers.some(answer => 'event' in answer && !answer.tentative && answer.event.position === event.position)
  )
}

function checkAnswer(worlds: readonly World[], request: Request, answer: Answer, at: string): void {
  const told = `${JSON.stringify(request)} was answered ${JSON.stringify(answer)}`
  const [first, last] = [worlds[0], worlds.at(-1)]
  if ('event' in answer && !answer.tentative) {
    const { type, id } = answer.actor
    const step = last && stepOf(last, answer.event)
    const event = last && step && formOf(last, step, answer.event, at, KNOWN_FOR_MS)
    assert.deepEqual(answer.event, event, `not in the log like that: ${told}`)
    assert.ok(event !== undefined && isSame(event, request), `not what was asked for: ${told}`)
    assert.deepEqual({ type, id }, { type: event.actorType, id: event.actorId }, told)
    assert.equal(event.commandId, request.commandId ?? null, told)
    assert.ok(answer.repeated || event.position > (first?.position ?? 0), `was there before: ${told}`)
    return
  }
  // Of what happens at the same time either may come first; what was answered must be right at one of those moments.
  const possible = worlds.map(world => expected(world, request, at))
  const fits = possible.some(wanted => {
    if ('error' in answer) return answer.error === 'command_id_reused' && wanted === 'reused'
    if (typeof wanted === 'string') return false
    // On a log that is there nothing is tentative.
    if (answer.tentative) return false
    const { reason, version, state, allowed, detail } = answer
    const same = reason === wanted.reason && version === wanted.version && state === wanted.state
    return same && wanted.details.includes(detail) && isAllowed(request.type, state, allowed)
  })
  assert.ok(fits, `${told}; expected ${JSON.stringify(possible)}`)
}

function isAllowed(type: string, state: string, allowed: readonly string[]): boolean {
  return JSON.stringify(allowed.toSorted()) === JSON.stringify(allowedIn(type, state).toSorted())
}
