/** Whether this node has heard everything since a moment: counts the doubts about its link to the other nodes. */
import type { Bus } from '../core/ports.ts'

/** What actors ask of the bus. */
export type Link = Pick<Bus, 'healthy' | 'onGap'>

/** Two readings that are the same number: nothing told in between can have been missed. */
export interface LinkWatch {
  /** Undefined while the link is down, and where there is none. */
  readonly reading: number | undefined
  stop(): void
}

export function watchLink(link: Link | undefined): LinkWatch {
  let doubts = 0
  const stop = link?.onGap(() => doubts++)
  return {
    get reading() {
      return link?.healthy === true ? doubts : undefined
    },
    stop: () => stop?.(),
  }
}
