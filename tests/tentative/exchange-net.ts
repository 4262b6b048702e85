/** Exchanges of several nodes on a bus that loses, doubles, delays and reorders as the test says, and a clock that stands still. */
import { formatHybridTime } from '../../src/core/hybrid-clock.ts'
import type { LiveFrame } from '../../src/core/ports.ts'
import type { JournalEntry } from '../../src/journal/journal-entry.ts'
import { entities } from '../../src/machines/index.ts'
import type { TentativeExchange } from '../../src/tentative/api.ts'
import { createTentativeExchange } from '../../src/tentative/exchange.ts'
import { journalEntry } from '../journal/entries.ts'
import { createManualClock, type ManualClock } from '../support/manual-clock.ts'

interface Message {
  readonly to: NetNode
  readonly frame: LiveFrame
}

export interface NetNode {
  readonly name: string
  readonly incarnation: number
  readonly exchange: TentativeExchange
  /** Of this node, not settled. */
  readonly pending: JournalEntry[]
  readonly listeners: ((frame: LiveFrame) => void)[]
  n: number
}

export class Net {
  readonly clock: ManualClock = createManualClock()
  /** The clocks of all nodes are set by this; their timers are as they were. */
  ahead = 0
  nodes: NetNode[] = []
  queue: Message[] = []

  get #now(): number {
    return this.clock.now() + this.ahead
  }

  async join(name: string, incarnation = 1, limits?: { count: number; bytes: number }): Promise<NetNode> {
    const listeners: ((frame: LiveFrame) => void)[] = []
    const bus = {
      publishTentative: (json: string) => {
        if (!this.nodes.some(({ exchange: joined }) => joined === exchange)) return
        const frame = { node: name, incarnation, payload: JSON.parse(json) as unknown }
        for (const to of this.nodes) if (to.exchange !== exchange) this.queue.push({ to, frame })
      },
      onTentative: (listener: (frame: LiveFrame) => void) => {
        listeners.push(listener)
        return () => void listeners.splice(0)
      },
      onGap: () => () => {},
    }
    const exchange: TentativeExchange = createTentativeExchange({
      ...{ node: name, incarnation, bus, clock: { now: () => this.#now, after: this.clock.after }, entities },
      ...(limits === undefined ? {} : { limits }),
    })
    const node: NetNode = { name, incarnation, exchange, pending: [], listeners, n: 0 }
    this.nodes.push(node)
    await exchange.start()
    return node
  }

  /** Gone without a word. */
  async kill(node: NetNode): Promise<void> {
    this.nodes = this.nodes.filter(other => other !== node)
    const { queue } = this
    await node.exchange.stop()
    this.queue = queue.filter(({ to }) => to !== node)
  }

  write(node: NetNode, actorId = 1, changes: Partial<JournalEntry> = {}): JournalEntry {
    node.n++
    // What the node shows of the actor is what the writer knew.
    const extra = new Map<string, number>()
    for (const { dot } of node.exchange.of('user', actorId)) extra.set(dot[0], Math.max(extra.get(dot[0]) ?? 0, dot[1]))
    const entry = journalEntry(node.n, {
      ...{ node: node.name, incarnation: node.incarnation, actorId, basis: 1 },
      clock: formatHybridTime({ wall: this.#now, counter: node.n, source: `${node.name}#${node.incarnation}` }),
      ...(extra.size === 0 ? {} : { extra: [...extra] }),
      ...changes,
    })
    node.pending.push(entry)
    node.exchange.accepted([entry])
    return entry
  }

  settle(node: NetNode, index: number, version = 2): void {
    const [entry] = node.pending.splice(index % Math.max(node.pending.length, 1), 1)
    if (entry !== undefined) node.exchange.settled(entry, version)
  }

  say(node: string, incarnation: number, payload: unknown): void {
    for (const to of this.nodes) this.queue.push({ to, frame: { node, incarnation, payload } })
    this.deliverAll()
  }

  deliver(which: number, fate: 'arrives' | 'doubled' | 'lost'): void {
    if (this.queue.length === 0) return
    const at = which % this.queue.length
    const message = this.queue[at]
    if (fate !== 'doubled') this.queue.splice(at, 1)
    if (message !== undefined && fate !== 'lost') for (const listener of message.to.listeners) listener(message.frame)
  }

  deliverAll(): void {
    while (this.queue.length > 0) this.deliver(0, 'arrives')
  }

  /** Time passes and nothing is lost. */
  pass(ms: number): void {
    for (let left = ms; left > 0; left -= 500) {
      this.clock.advance(500)
      this.deliverAll()
    }
  }

  /** Dots that a node shows of an actor, of which nobody said that they are settled. */
  shown(node: NetNode, actorId = 1): readonly string[] {
    return node.exchange
      .of('user', actorId)
      .filter(({ settledAt }) => settledAt === undefined)
      .map(({ dot }) => dot.join(':'))
      .sort()
  }
}
