/** Follows the numbers of other nodes' frames, so that a lost one is noticed and a repeated one is known. Pure bookkeeping. */
import type { FrameNumbers, Sender } from './frame.ts'

export type Heard =
  /** As expected. */
  | 'next'
  /** At least one frame before it was not heard. */
  | 'gap'
  /** Heard before, or overtaken by what was sent later: it proves nothing, not even that its sender lives. */
  | 'old'

export interface Senders {
  /** A frame with events. */
  frame(sender: Sender, numbers: FrameNumbers): Heard
  /** A sign of life that names the last frame. */
  sign(sender: Sender, numbers: FrameNumbers): Heard
  /** The sender stopped in good order: it is not missed. Its numbers are kept, for its frames may be sent again. */
  leave(sender: Sender): void
  knows(sender: Sender): boolean
  /** One heartbeat interval has passed; returns how many senders have fallen silent. */
  tick(): number
  /** Names under which two incarnations speak at the same time, ours among them. */
  twins(): readonly string[]
}

export interface SendersOptions {
  /** The one who listens. */
  readonly self: Sender
  /** Intervals without a sign after which a sender counts as silent. */
  readonly patience: number
  /** Senders remembered, dead ones too; past that the one heard least recently is forgotten. */
  readonly limit: number
}

interface Followed extends FrameNumbers {
  readonly node: string
  readonly incarnation: number
  readonly silent: number
  /** Fell silent or said farewell. */
  readonly gone: boolean
  /** Intervals: since when it lives, and when it was heard last. */
  readonly since: number
  readonly heardAt: number
}

export function createSenders({ self, patience, limit }: SendersOptions): Senders {
  // In order of when they were last heard.
  const known = new Map<string, Followed>()
  let interval = 0

  const follow = ({ node, incarnation }: Sender, { order, seq }: FrameNumbers, last: Followed | undefined) => {
    const key = keyOf({ node, incarnation })
    const since = last === undefined || last.gone ? interval : last.since
    known.delete(key)
    known.set(key, { node, incarnation, order, seq, silent: 0, gone: false, since, heardAt: interval })
    if (known.size > limit) for (const oldest of known.keys()) return void known.delete(oldest)
  }

  return {
    frame(sender, numbers) {
      const last = known.get(keyOf(sender))
      // A sender never heard of before counts as one that starts at 1: what it sent earlier was not heard.
      const expected = (last?.seq ?? 0) + 1
      if (numbers.order <= (last?.order ?? 0) || numbers.seq < expected) return 'old'
      follow(sender, numbers, last)
      return numbers.seq === expected ? 'next' : 'gap'
    },
    sign(sender, numbers) {
      const last = known.get(keyOf(sender))
      const seq = last?.seq ?? 0
      if (numbers.order <= (last?.order ?? 0) || numbers.seq < seq) return 'old'
      follow(sender, numbers, last)
      return numbers.seq === seq ? 'next' : 'gap'
    },
    leave(sender) {
      const key = keyOf(sender)
      const last = known.get(key)
      if (last !== undefined) known.set(key, { ...last, gone: true })
    },
    knows: sender => known.has(keyOf(sender)),
    tick() {
      interval++
      let lost = 0
      for (const [key, last] of known) {
        if (last.gone) continue
        const silent = last.silent + 1
        const gone = silent >= patience
        if (gone) lost++
        known.set(key, { ...last, silent, gone })
      }
      return lost
    },
    twins() {
      const living = new Map<string, Followed[]>()
      const us: Followed = { ...self, order: 0, seq: 0, silent: 0, gone: false, since: 0, heardAt: interval }
      for (const one of [us, ...known.values()])
        if (!one.gone) living.set(one.node, [...(living.get(one.node) ?? []), one])
      return [...living]
        .filter(([, ones]) => ones.some(one => ones.some(other => overlap(one, other))))
        .map(([name]) => name)
    },
  }
}

// Of a node that was killed and started again the old incarnation was not heard after the new one began.
function overlap(one: Followed, other: Followed): boolean {
  return one.incarnation !== other.incarnation && one.heardAt > other.since && other.heardAt > one.since
}

function keyOf({ node, incarnation }: Sender): string {
  return `${incarnation}#${node}`
}
