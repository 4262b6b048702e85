/** The bus of a node without Redis: nodes of one process that share a hub hear each other. */
import type { Frame, LiveFrame, Logger } from '../core/ports.ts'
import { createListeners } from './listeners.ts'
import { type MonitoredBus, noDrops } from './monitored-bus.ts'

/** What buses of one process meet at. */
export interface InProcessHub {
  readonly members: Set<Member>
  /** Takes a node off the hub: from now on it hears nobody and nobody hears it. */
  cut(node: string): void
  /** Puts it back; it is told to catch up from the log, and so are the others. */
  heal(node: string): void
  isCut(node: string): boolean
}

interface Member {
  receive(frame: Frame): void
  catchUp(): void
  receivePayload(kind: 'live' | 'tentative', node: string, incarnation: number, json: string): void
}

export function createInProcessHub(): InProcessHub {
  const members = new Set<Member>()
  const away = new Set<string>()
  return {
    members,
    cut: node => void away.add(node),
    heal(node) {
      if (away.delete(node)) for (const member of members) member.catchUp()
    },
    isCut: node => away.has(node),
  }
}

export interface InProcessBusOptions {
  readonly node: string
  readonly incarnation: number
  readonly log: Logger
  /** Default one of its own: nobody else hears or is heard. */
  readonly hub?: InProcessHub
  /** Names of nodes on the same log that are not on the hub. */
  readonly unheard?: () => readonly string[]
}

export function createInProcessBus(options: InProcessBusOptions): MonitoredBus {
  const { node, incarnation, log, hub = createInProcessHub(), unheard = () => [] } = options
  const frames = createListeners<Frame>('frames', log)
  const lives = createListeners<LiveFrame>('live frames', log)
  const tentatives = createListeners<LiveFrame>('tentative frames', log)
  const gaps = createListeners<void>('gaps', log)
  const counts = { framesSent: 0, framesReceived: 0, gaps: 0 }
  let running = false
  let stopped = false

  const isOwn = (from: { readonly node: string; readonly incarnation: number }) =>
    from.node === node && from.incarnation === incarnation
  const hears = (from: { readonly node: string; readonly incarnation: number }) =>
    running && !isOwn(from) && !hub.isCut(node) && !hub.isCut(from.node)
  const member: Member = {
    receive(frame) {
      if (!hears(frame)) return
      counts.framesReceived++
      frames.emit(frame)
    },
    receivePayload(kind, from, start, json) {
      if (hears({ node: from, incarnation: start }))
        (kind === 'live' ? lives : tentatives).emit({ node: from, incarnation: start, payload: JSON.parse(json) })
    },
    catchUp() {
      counts.gaps++
      gaps.emit()
    },
  }
  // Later, so that no receiver runs inside the sender's call; microtasks keep the order.
  const tell = (say: (to: Member) => void) => {
    const receivers = [...hub.members]
    queueMicrotask(() => {
      for (const receiver of receivers) say(receiver)
    })
  }

  const isHealthy = () => running && !hub.isCut(node)
  return {
    async start() {
      if (running || stopped) return
      running = true
      hub.members.add(member)
      member.catchUp()
    },
    async stop() {
      running = false
      stopped = true
      hub.members.delete(member)
    },
    publish(frame) {
      if (!running || frame.events.length === 0) return
      counts.framesSent++
      tell(to => to.receive(frame))
    },
    publishLive(json) {
      if (running) tell(to => to.receivePayload('live', node, incarnation, json))
    },
    publishTentative(json) {
      if (running) tell(to => to.receivePayload('tentative', node, incarnation, json))
    },
    onFrame: listener => frames.add(listener),
    onLive: listener => lives.add(listener),
    onTentative: listener => tentatives.add(listener),
    onGap: listener => gaps.add(() => listener()),
    get healthy() {
      return isHealthy()
    },
    get hearsAll() {
      return isHealthy() && unheard().length === 0
    },
    warnings: () => (unheard().length === 0 ? [] : [unheardWarning(unheard())]),
    stats: () => ({ ...counts, dropped: 0, ...noDrops() }),
  }
}

function unheardWarning(names: readonly string[]): string {
  return `Other nodes work on this log (${names.join(', ')}), and this one has no REDIS_URL: it reads of them in the log, their live figures and its own do not meet, and it tells the log no sums. Give all nodes the same REDIS_URL.`
}
