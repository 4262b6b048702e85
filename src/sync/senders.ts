/** Follows the numbers of other nodes' frames, so that a lost one is noticed. Pure bookkeeping. */

export type Heard =
  /** As expected. */
  | 'next'
  /** At least one frame before it was not heard. */
  | 'gap'
  /** Nothing new. */
  | 'old'

export interface Senders {
  /** A frame with events. */
  frame(sender: string, seq: number): Heard
  /** A sign of life that names the last frame. */
  sign(sender: string, seq: number): Exclude<Heard, 'old'>
  /** The sender stopped in good order. */
  forget(sender: string): void
  /** One heartbeat interval has passed; returns how many senders have fallen silent and forgets them. */
  tick(): number
}

export interface SendersOptions {
  /** Intervals without a sign after which a sender counts as silent. */
  readonly patience: number
  /** Senders followed at a time; past that the one heard least recently is forgotten. */
  readonly limit: number
}

export function createSenders({ patience, limit }: SendersOptions): Senders {
  // In order of when they were last heard.
  const known = new Map<string, { last: number; silent: number }>()

  const heard = (sender: string, last: number) => {
    known.delete(sender)
    known.set(sender, { last, silent: 0 })
    if (known.size > limit) for (const oldest of known.keys()) return void known.delete(oldest)
  }

  // A sender never heard of before counts as one that starts at 1: what it sent earlier was not heard.
  const lastOf = (sender: string) => known.get(sender)?.last ?? 0

  return {
    frame(sender, seq) {
      const last = lastOf(sender)
      heard(sender, Math.max(last, seq))
      if (seq <= last) return 'old'
      return seq === last + 1 ? 'next' : 'gap'
    },
    sign(sender, seq) {
      const last = lastOf(sender)
      // Also where it names a lower one: a number was not its own then, and must not make us deaf to what follows.
      heard(sender, seq)
      return seq === last ? 'next' : 'gap'
    },
    forget: sender => void known.delete(sender),
    tick() {
      let lost = 0
      for (const [sender, state] of known) {
        if (++state.silent < patience) continue
        known.delete(sender)
        lost++
      }
      return lost
    },
  }
}
