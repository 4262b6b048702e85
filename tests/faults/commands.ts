/** Sends commands under their keys until each is settled, whatever becomes of the nodes meanwhile, and keeps what was answered. */
import { setTimeout as delay } from 'node:timers/promises'
import type { HttpClient } from '../support/http-client.ts'

export interface Sent {
  readonly key: string
  readonly path: string
  readonly event: object
  readonly headers: Record<string, string>
  readonly outcome: Outcome
}

export type Outcome =
  | {
      readonly taken: true
      readonly actor: string
      readonly id: number
      readonly version: number
      readonly position: number
      readonly repeated: boolean
    }
  | { readonly taken: false; readonly code: string }

export interface Commands {
  /** Rejects where a command ends in anything but success, a refusal, or an error that says it may be sent again. */
  send(path: string, event: object, key: string, headers?: Record<string, string>): Promise<Outcome>
  /** Sends every command again under its key; answers those whose outcome is another one now. */
  sendAllAgain(): Promise<readonly object[]>
  readonly sent: readonly Sent[]
  /** Resolves when so many commands are settled. */
  settled(count: number): Promise<void>
  /** Resolves when an error of this code was answered. */
  met(code: string): Promise<void>
  /** Codes of errors that were answered and may be sent again; `broken` for a connection without an answer. */
  readonly retried: ReadonlyMap<string, number>
}

const REFUSALS = new Set(['not_allowed', 'wrong_version', 'claimed', 'unknown_reference'])
const PATIENCE_MS = 240_000
/** Between two tries, as a client would wait. */
const PAUSE_MS = 20

/** @param reach gives a client of a node that should be alive */
export function createCommands(reach: () => HttpClient | Promise<HttpClient>): Commands {
  const sent: Sent[] = []
  const retried = new Map<string, number>()
  const waiting = new Set<{ readonly holds: () => boolean; readonly resolve: () => void }>()
  const when = (holds: () => boolean) =>
    holds() ? Promise.resolve() : new Promise<void>(resolve => waiting.add({ holds, resolve }))
  const look = () => {
    for (const waiter of waiting) if (waiter.holds() && waiting.delete(waiter)) waiter.resolve()
  }

  const settle = async (path: string, event: object, headers: Record<string, string>): Promise<Outcome> => {
    const deadline = performance.now() + PATIENCE_MS
    for (;;) {
      const client = await reach()
      const answer = await client.request('POST', path, { body: event, headers }).catch((error: Error) => error)
      let why = 'broken'
      if (!(answer instanceof Error)) {
        const body = answer.body as Record<string, unknown>
        if (answer.status === 200 || answer.status === 201)
          return { ...(body as unknown as Outcome & { taken: true }), taken: true }
        // Taken while the log is away: the same id asks what became of it.
        why = answer.status === 202 ? 'tentative' : String(body.code)
        if (REFUSALS.has(why)) return { taken: false, code: why }
        if (answer.status !== 202 && body.retryable !== true)
          throw new Error(`${path} ended in ${answer.status} ${JSON.stringify(body)}`)
      }
      retried.set(why, (retried.get(why) ?? 0) + 1)
      look()
      if (performance.now() > deadline) throw new Error(`${path} was not settled in time: ${why}`)
      await delay(PAUSE_MS)
    }
  }

  return {
    sent,
    retried,
    settled: count => when(() => sent.length >= count),
    met: code => when(() => retried.has(code)),
    send: async (path, event, key, headers = {}) => {
      const all = { ...headers, 'idempotency-key': key }
      const outcome = await settle(path, event, all)
      sent.push({ key, path, event, headers: all, outcome })
      look()
      return outcome
    },
    sendAllAgain: async () => {
      const again = await Promise.all(
        sent.map(async command => ({ command, now: await settle(command.path, command.event, command.headers) })),
      )
      return again
        .filter(({ command: { outcome }, now }) =>
          outcome.taken
            ? !now.taken || !now.repeated || now.actor !== outcome.actor || now.position !== outcome.position
            : now.taken || now.code !== outcome.code,
        )
        .map(({ command: { key, outcome }, now }) => ({ key, outcome, now }))
    },
  }
}
