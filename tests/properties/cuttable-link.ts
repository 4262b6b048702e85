/** The connections of one process to Postgres: all can break at once, and with a killed process none is made again. */
import { openFaultProxy } from '../support/fault-proxy.ts'

export interface Cut {
  /** `kill`: no connection is made any more. `break`: the process lives on and makes new ones. */
  readonly how: 'kill' | 'break'
  /** How many pieces of data still pass, in either direction. */
  readonly pieces: number
  /** Counted from the first piece that holds this text; by default from now. */
  readonly from?: string | undefined
}

export interface CuttableLink {
  /** The server's address, by way of this link. */
  readonly url: string
  /** Resolves when it is cut for good. */
  readonly gone: Promise<void>
  cutLater(cut: Cut): void
  cut(how: Cut['how']): void
}

export async function openCuttableLink(to: string): Promise<CuttableLink> {
  const { promise: gone, resolve } = Promise.withResolvers<void>()
  let planned: Cut | undefined
  let passed = 0
  /** Whether this piece is the one too many. */
  const isCutAt = (data: Buffer): boolean => {
    if (planned === undefined || (passed === 0 && planned.from !== undefined && !data.includes(planned.from)))
      return false
    if (passed++ < planned.pieces) return false
    cut(planned.how)
    return true
  }
  const proxy = await openFaultProxy(to, { inspect: data => !isCutAt(data) })
  function cut(how: Cut['how']): void {
    planned = undefined
    // What the server has received by now it still carries out.
    proxy.reset()
    if (how === 'break') return
    void proxy.close()
    resolve()
  }
  return {
    url: proxy.via(to),
    gone,
    cutLater: cut => {
      planned = cut
      passed = 0
    },
    cut,
  }
}
