/** A way to Postgres that loses answers: the server has done what it was asked, the client never hears of it. */
import { openFaultProxy, type ProxiedConnection } from '../support/fault-proxy.ts'

export interface LossyLink {
  /** The server's address, by way of this link. */
  readonly url: string
  /** Cuts the connection that carries the next answer to a statement whose bytes hold `text`, after `meanwhile` has ended. */
  loseAnswerTo(text: string, meanwhile: () => Promise<void>): void
  close(): Promise<void>
}

/** ReadyForQuery, idle: the transaction has ended. */
const READY = Buffer.from('5a0000000549', 'hex')

export async function openLossyLink(to: string): Promise<LossyLink> {
  let loss: { readonly text: string; readonly meanwhile: () => Promise<void> } | undefined
  const losing = new Map<ProxiedConnection, () => Promise<void>>()
  const proxy = await openFaultProxy(to, {
    inspect: (data, way, connection) => {
      if (way === 'toServer') {
        if (loss !== undefined && data.includes(loss.text)) {
          losing.set(connection, loss.meanwhile)
          loss = undefined
        }
        return true
      }
      const meanwhile = losing.get(connection)
      if (meanwhile !== undefined && data.subarray(-READY.length).equals(READY))
        void meanwhile().finally(() => connection.destroy())
      return meanwhile === undefined
    },
  })
  return {
    url: proxy.via(to),
    loseAnswerTo: (text, meanwhile) => {
      loss = { text, meanwhile }
    },
    close: () => proxy.close(),
  }
}
