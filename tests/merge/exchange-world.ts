/**
 * Nodes that have each other but not the log: changes of a set of permissions travel over a bus that drops, doubles,
 * delays and reorders, in any partition. A deterministic simulation around the real inbox, set and stability rule.
 */
import { formatDot, mergeVectors, type VersionVector, withDot } from '../../src/core/version-vector.ts'
import { type CausalInbox, takeIn } from '../../src/merge/causal-inbox.ts'
import { isStable, type Membership, type Promises, promisesOfLiving } from '../../src/merge/stability.ts'
import { changeSet, EMPTY_SET, prune, type RemoveWinsSet, type SetChange } from './remove-wins-set.ts'

export const EXCHANGE_FAULTS = [
  'remove by value',
  'gaps accepted',
  'no causal hold-back',
  'no new incarnation after disk loss',
  'own vector slot lost on recovery',
  'tombstone pruned early',
  'dead incarnation not sealed',
  'promises survive a restart',
] as const
export type ExchangeFault = (typeof EXCHANGE_FAULTS)[number]

export interface Replica {
  readonly name: string
  source: string
  n: number
  inbox: CausalInbox<SetChange>
  set: RemoveWinsSet
  /** All that was let through, for others that ask. */
  store: readonly SetChange[]
  promises: Promises
  reachable: boolean
}

/** What really caused what, apart from what the nodes make of it. */
export interface Truth {
  readonly change: SetChange
  readonly past: ReadonlySet<string>
}

type Message =
  | { readonly kind: 'change'; readonly to: number; readonly change: SetChange }
  | { readonly kind: 'promise'; readonly to: number; readonly source: string; readonly holds: VersionVector }

export class ExchangeWorld {
  readonly replicas: readonly Replica[]
  readonly truth = new Map<string, Truth>()
  /** Dots that really reached each node. */
  readonly reached: Set<string>[]
  /** Dots that were given out twice. */
  readonly reused: string[] = []
  messages: Message[] = []
  sealed: VersionVector = new Map()
  readonly fault: ExchangeFault | undefined

  constructor(fault?: ExchangeFault) {
    this.fault = fault
    this.replicas = ['a', 'b', 'c'].map(name => ({
      name,
      source: `${name}#1`,
      n: 0,
      inbox: { held: new Map(), waiting: [] },
      set: EMPTY_SET,
      store: [],
      promises: new Map(),
      reachable: true,
    }))
    this.reached = this.replicas.map(() => new Set())
  }

  get membership(): Membership {
    return { live: this.replicas.map(({ source }) => source), sealed: this.sealed }
  }

  change(index: number, kind: 'add' | 'remove', member: string): void {
    const replica = this.replica(index)
    replica.n += 1
    const change: SetChange = { kind, member, dot: [replica.source, replica.n], knows: replica.inbox.held }
    const name = formatDot(change.dot)
    if (this.truth.has(name)) this.reused.push(name)
    else this.truth.set(name, { change, past: new Set(this.reached[index]) })
    this.take(index, change)
    for (const to of this.others(index)) this.messages.push({ kind: 'change', to, change })
  }

  /** `sent`: to arrive some time. `heard`: it is there at once, at all that can be reached. */
  promise(index: number, how: 'sent' | 'heard'): void {
    const { source, inbox, reachable } = this.replica(index)
    for (const to of [index, ...this.others(index)]) {
      const other = this.replica(to)
      if (how === 'sent') this.messages.push({ kind: 'promise', to, source, holds: inbox.held })
      else if (to === index || (reachable && other.reachable)) this.hearPromise(other, source, inbox.held)
    }
  }

  setReachable(index: number, reachable: boolean): void {
    this.replica(index).reachable = reachable
  }

  /** Any message may be the next, be doubled, or be lost where a partition is in its way. */
  deliver(which: number, doubled: boolean): void {
    if (this.messages.length === 0) return
    const at = which % this.messages.length
    const message = this.messages[at]
    if (message === undefined) return
    if (!doubled) this.messages.splice(at, 1)
    const replica = this.replica(message.to)
    if (!replica.reachable) return
    if (message.kind === 'change') this.take(message.to, message.change)
    else this.hearPromise(replica, message.source, message.holds)
  }

  /** One asks another for all it lacks. */
  pull(index: number, from: number): void {
    if (!this.replica(index).reachable || !this.replica(from).reachable) return
    for (const change of this.replica(from).store) this.take(index, change)
  }

  prune(index: number): void {
    const replica = this.replica(index)
    const { membership, fault } = this
    const promises = this.counted(replica.promises)
    replica.set = prune(replica.set, dot => {
      if (fault === 'tombstone pruned early') return promises.size > 0
      return isStable(dot, replica.inbox.held, promises, membership)
    })
  }

  /** With its disk a node has all it had, but the promises of others. */
  restart(index: number): void {
    const replica = this.replica(index)
    this.retire(index, 'kept')
    const { held } = replica.inbox
    const old = replica.source
    this.begin(replica)
    replica.promises = this.fault === 'promises survive a restart' ? replica.promises : new Map()
    const slots = [...held].filter(([source]) => this.fault !== 'own vector slot lost on recovery' || source !== old)
    replica.inbox = { held: new Map(slots), waiting: [] }
  }

  /** Without its disk it starts from what another node has. */
  loseDisk(index: number, from: number): void {
    const replica = this.replica(index)
    if (from === index || !replica.reachable || !this.replica(from).reachable) return
    this.retire(index, 'lost')
    const reused = this.fault === 'no new incarnation after disk loss'
    if (reused) replica.n = 0
    else this.begin(replica)
    const source = this.replica(from)
    replica.inbox = { held: source.inbox.held, waiting: [] }
    replica.set = source.set
    replica.store = source.store
    replica.promises = new Map()
    this.reached[index] = new Set(this.reached[from])
  }

  /** After all partitions: everybody asks everybody, twice over so that what was waiting comes through. */
  settle(): void {
    for (const replica of this.replicas) replica.reachable = true
    while (this.messages.length > 0) this.deliver(0, false)
    for (let round = 0; round < 2; round++)
      for (const [index] of this.replicas.entries()) for (const from of this.others(index)) this.pull(index, from)
  }

  /** Seals an incarnation at the last of its changes that outlives it. */
  private retire(index: number, disk: 'kept' | 'lost'): void {
    if (this.fault === 'no new incarnation after disk loss' || this.fault === 'dead incarnation not sealed') return
    const { source } = this.replica(index)
    const survivors = this.replicas.filter((_, other) => disk === 'kept' || other !== index)
    const left = (of: string) => Math.max(...survivors.map(({ inbox }) => inbox.held.get(of) ?? 0))
    // What was held only on the disk that is lost is gone, of incarnations sealed earlier too.
    const earlier = [...this.sealed].map(([of, last]) => [of, Math.min(last, left(of))] as const)
    this.sealed = new Map([...earlier, [source, left(source)]])
  }

  private begin(replica: Replica): void {
    const [name, incarnation] = replica.source.split('#')
    replica.source = `${name}#${Number(incarnation) + 1}`
    replica.n = 0
  }

  private take(index: number, change: SetChange): void {
    const replica = this.replica(index)
    const { inbox, ready } = this.letThrough(replica, change)
    replica.inbox = inbox
    for (const one of ready) {
      replica.set = this.apply(replica.set, one)
      replica.store = [...replica.store, one]
      this.reached[index]?.add(formatDot(one.dot))
    }
  }

  private letThrough(replica: Replica, change: SetChange): ReturnType<typeof takeIn<SetChange>> {
    const { held, waiting } = replica.inbox
    const [source, n] = change.dot
    const has = held.get(source) ?? 0
    const max = this.fault === 'gaps accepted' && n > has
    const fifo = this.fault === 'no causal hold-back' && n === has + 1
    if (max || fifo) return { inbox: { held: withDot(held, change.dot), waiting }, ready: [change] }
    return takeIn(replica.inbox, change, this.sealed)
  }

  private apply(set: RemoveWinsSet, change: SetChange): RemoveWinsSet {
    if (this.fault !== 'remove by value' || change.kind === 'add') return changeSet(set, change)
    const members = new Map(set.members)
    members.delete(change.member)
    return { ...set, members }
  }

  private counted(promises: Promises): Promises {
    if (this.fault !== 'promises survive a restart') return promisesOfLiving(promises, this.membership)
    // The mistake: a promise is taken for the node's, whichever incarnation gave it.
    const ofNode = (source: string) => [...promises].findLast(([giver]) => giver[0] === source[0])?.[1]
    return new Map(
      this.membership.live.flatMap(source => {
        const promise = promises.get(source) ?? ofNode(source)
        return promise === undefined ? [] : [[source, promise] as const]
      }),
    )
  }

  private hearPromise(replica: Replica, source: string, holds: VersionVector): void {
    const known = replica.promises.get(source) ?? new Map()
    replica.promises = new Map([...replica.promises, [source, mergeVectors(known, holds)]])
  }

  private others(index: number): readonly number[] {
    return this.replicas.flatMap((_, other) => (other === index ? [] : [other]))
  }

  private replica(index: number): Replica {
    const replica = this.replicas[index]
    if (replica === undefined) throw new Error('no such node')
    return replica
  }
}

export function dotsOf(vector: VersionVector): readonly string[] {
  return [...vector].flatMap(([source, n]) => Array.from({ length: n }, (_, i) => formatDot([source, i + 1])))
}
