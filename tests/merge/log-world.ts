/**
 * Nodes that share one log and are cut off from it, as a deterministic simulation around the real merge rules, machines and
 * clock. What is planted in it on purpose is a `Fault`; without one it is the protocol as it is meant.
 */
import {
  formatHybridTime,
  type HybridClock,
  parseHybridTime,
  raiseCeiling,
  receive,
  startClock,
  type Ticked,
  tick,
} from '../../src/core/hybrid-clock.ts'
import type { JsonObject } from '../../src/core/json.ts'
import type { ActorState } from '../../src/core/state.ts'
import { decide, initialState, stamp } from '../../src/machines/decide.ts'
import type { EntityDefinition } from '../../src/machines/define.ts'
import { session } from '../../src/machines/session/index.ts'
import { stream } from '../../src/machines/stream/index.ts'
import { user } from '../../src/machines/user/index.ts'
import { isMergeable, mergeEvent, type OffsideEvent, observe } from '../../src/merge/merge-event.ts'
import { AT, samples } from '../machines/samples.ts'
import { type LogFault, withFault } from './log-faults.ts'

export type ActorName = 'user' | 'session' | 'stream'
export const NODES = ['a', 'b', 'c'] as const
const DRIFT_MS = 600_000
const LEASE_MS = 5_000

/** An event as the simulation follows it from its writing to its end. */
export interface Written extends OffsideEvent {
  readonly actor: ActorName
  readonly dot: string
  /** Dots of all that its writer knew of this actor. */
  readonly past: ReadonlySet<string>
  /** Its real clock, also where a fault garbles the one the rules see. */
  readonly time: string
}

export interface Logged extends OffsideEvent {
  readonly version: number
  readonly dot: string
  readonly state: ActorState
}

interface Pending extends Written {
  readonly basis: number
}

export interface SimulatedNode {
  readonly name: string
  incarnation: number
  n: number
  clock: HybridClock
  skew: number
  connected: boolean
  /** Version of each actor's log it has read. */
  readonly seen: Record<ActorName, number>
  /** Dots of each actor it knows to have ended in the log, or has written. */
  known: Set<string>
  journal: Pending[]
  /** Viewers that joined here and may leave. */
  guests: number
}

const ENTITIES: Record<ActorName, EntityDefinition> = { user, session, stream }
const BIRTH: Record<ActorName, readonly string[]> = {
  user: ['user.registered'],
  session: ['session.created'],
  stream: ['stream.created', 'stream.started'],
}

export class LogWorld {
  now = Date.parse(AT)
  readonly entities: Record<ActorName, EntityDefinition>
  readonly logs: Record<ActorName, Logged[]> = { user: [], session: [], stream: [] }
  /** Everything that came to its end: appended, or absorbed. In the order in which it did. */
  readonly processed: Written[] = []
  readonly written: Written[] = []
  readonly lost = new Set<string>()
  readonly nodes: readonly SimulatedNode[]
  readonly fault: LogFault | undefined

  constructor(fault?: LogFault) {
    this.fault = fault
    this.entities = withFault(ENTITIES, fault)
    for (const actor of Object.keys(BIRTH) as ActorName[])
      for (const [index, type] of BIRTH[actor].entries())
        this.append(actor, {
          type,
          data: samples[type] ?? {},
          clock: formatHybridTime({ wall: 0, counter: index, source: 'birth#1' }),
          node: 'birth',
          dot: `birth#1:${actor}${index + 1}`,
        })
    this.nodes = NODES.map(name => ({
      name,
      incarnation: 1,
      n: 0,
      clock: startClock(`${name}#1`, 0, 0),
      skew: 0,
      connected: true,
      seen: { user: this.logs.user.length, session: this.logs.session.length, stream: this.logs.stream.length },
      known: new Set<string>(),
      journal: [],
      guests: 0,
    }))
  }

  head(actor: ActorName): ActorState {
    return this.stateAt(actor, this.logs[actor].length)
  }

  /** What the node shows: the log as far as it has read it, and what it accepted since. */
  view(node: SimulatedNode, actor: ActorName): ActorState {
    return node.journal
      .filter(event => event.actor === actor)
      .reduce(
        (state, { type, data }) => decide(this.entities[actor], state, stamp(type, AT, data))?.state ?? state,
        this.stateAt(actor, node.seen[actor]),
      )
  }

  /** True where the event was taken, by the log or by the journal. */
  command(node: SimulatedNode, actor: ActorName, type: string, data: (state: ActorState) => JsonObject): boolean {
    const entity = this.entities[actor]
    if (node.connected) this.drain(node)
    const state = this.view(node, actor)
    const event = data(state)
    if (!node.connected && !isMergeable(entity, type, { state, data: event })) return false
    if (decide(entity, state, stamp(type, AT, event)) === undefined) return false
    const time = this.tick(node)
    if (time === undefined) return false
    node.n += 1
    const dot = `${node.name}#${node.incarnation}:${node.n}`
    const observed = observe(ENTITIES[actor], state, type)
    const written: Written = {
      actor,
      type,
      data: event,
      dot,
      time,
      clock: this.fault === 'no tie-break' ? `${time.slice(0, 15)}?` : time,
      node: this.fault === 'no tie-break' ? '' : `${node.name}#${node.incarnation}`,
      past: new Set(node.known),
      ...(observed === undefined ? {} : { observed }),
    }
    this.written.push(written)
    if (node.connected) {
      this.append(actor, written)
      this.processed.push(written)
      this.catchUp(node)
    } else {
      node.journal.push({ ...written, basis: node.seen[actor] })
      node.known.add(dot)
    }
    return true
  }

  /**
   * Brings the journal into the log.
   * @param keep the node dies before it can cut the journal: all of it is drained again
   */
  drain(node: SimulatedNode, keep = false): void {
    if (!node.connected) return
    const own = new Set(node.journal.map(({ dot }) => dot))
    for (const event of node.journal) {
      // The log takes a dot once.
      if (this.processed.some(({ dot }) => dot === event.dot)) continue
      const beside = this.logs[event.actor].filter(({ version, dot }) => version > event.basis && !own.has(dot))
      const merged = mergeEvent(this.entities[event.actor], this.head(event.actor), event, beside)
      if (merged.outcome === 'applied') this.append(event.actor, { ...event, data: merged.data })
      this.processed.push(event)
    }
    if (!keep) node.journal = []
    this.catchUp(node)
  }

  catchUp(node: SimulatedNode): void {
    if (!node.connected) return
    for (const actor of Object.keys(this.logs) as ActorName[]) {
      for (const { time } of this.processed.filter(event => event.actor === actor && !node.known.has(event.dot)))
        this.hear(node, time)
      node.seen[actor] = this.logs[actor].length
    }
    for (const { dot } of this.processed) node.known.add(dot)
    for (const { dot } of node.journal) node.known.add(dot)
  }

  /** A new incarnation. It needs the log: a node without it stays as it is, a machine that is replaced comes back with it. */
  restart(node: SimulatedNode, disk: 'kept' | 'lost'): void {
    if (disk === 'lost') node.connected = true
    if (!node.connected) return
    if (disk === 'lost') {
      const gone = node.journal.filter(({ dot }) => !this.processed.some(event => event.dot === dot))
      for (const { dot } of gone) this.lost.add(dot)
      node.journal = []
      node.guests = 0
    }
    const reused = this.fault === 'no new incarnation after disk loss' && disk === 'lost'
    if (!reused) node.incarnation += 1
    node.n = 0
    const floor = this.fault === 'hybrid clock restarts from the wall clock' ? 0 : node.clock.ceiling
    node.clock = startClock(`${node.name}#${node.incarnation}`, floor, floor)
    node.known = new Set(node.journal.map(({ dot }) => dot))
    this.drain(node)
  }

  /** Undefined where the leased ceiling is reached and the log is not there to lease a higher one. */
  private tick(node: SimulatedNode): string | undefined {
    const now = Math.max(0, this.now + node.skew)
    const source = `${node.name}#${node.incarnation}`
    if (this.fault === 'wall clock instead of hybrid clock') return formatHybridTime({ wall: now, counter: 0, source })
    const ticked = leased(node, () => tick(node.clock, now))
    return ticked.ok ? formatHybridTime(ticked.time) : undefined
  }

  private hear(node: SimulatedNode, time: string): void {
    const remote = parseHybridTime(time)
    if (remote === undefined) throw new Error(`no hybrid time: ${time}`)
    const heard = leased(node, () => receive(node.clock, remote, Math.max(0, this.now + node.skew), DRIFT_MS))
    if (!heard.ok) throw new Error(heard.reason)
  }

  private append(actor: ActorName, event: OffsideEvent & { readonly dot: string }): void {
    const log = this.logs[actor]
    const time = parseHybridTime(event.clock)?.wall ?? 0
    const next = decide(
      this.entities[actor],
      this.head(actor),
      stamp(event.type, new Date(time).toISOString(), event.data),
    )
    if (next === undefined) throw new Error(`the machine does not take the ${event.type} that is appended`)
    log.push({ ...event, version: log.length + 1, state: next.state })
  }

  private stateAt(actor: ActorName, version: number): ActorState {
    return this.logs[actor][version - 1]?.state ?? initialState(this.entities[actor])
  }
}

/** Moves the node's clock, under a higher ceiling where one is needed and can be leased. */
function leased(node: SimulatedNode, move: () => Ticked): Ticked {
  let moved = move()
  if (!moved.ok && moved.reason === 'beyond_ceiling' && node.connected) {
    node.clock = raiseCeiling(node.clock, moved.needs + LEASE_MS)
    moved = move()
  }
  if (moved.ok) node.clock = moved.clock
  return moved
}
