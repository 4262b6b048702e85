/** Leases that make this node the only one to run an actor or a job; every append under one carries its fencing token. */
import { AppError } from '../core/errors.ts'
import { type ActorRef, formatActorRef } from '../core/ids.ts'
import type { Clock, EventStore, Lease, Logger } from '../core/ports.ts'

/** How long a node that vanished keeps what it owned. */
export const LEASE_MS = 15_000

export class Ownership {
  readonly #store: EventStore
  readonly #clock: Clock
  readonly #log: Logger
  readonly #holder: string
  readonly #held = new Map<string, { token: number; renewAt: number }>()
  #cancel: (() => void) | undefined

  /** @param holder unique to this start of this node */
  constructor(ports: { store: EventStore; clock: Clock; log: Logger; holder: string }) {
    this.#store = ports.store
    this.#clock = ports.clock
    this.#log = ports.log
    this.#holder = ports.holder
  }

  /** The lease of an actor, taken or still held. Throws AppError `fenced` while another node has it. */
  async own(actor: ActorRef): Promise<{ name: string; token: number }> {
    const name = leaseName(actor)
    const held = this.#held.get(name)
    if (held !== undefined && this.#clock.now() < held.renewAt) return { name, token: held.token }
    const lease = await this.#acquire(name, LEASE_MS)
    if (lease !== undefined) return { name, token: lease.token }
    throw new AppError(
      'fenced',
      `Another node owns ${formatActorRef(actor)}. Nothing was changed by this command; send it to that node, or again when its lease has ended.`,
    )
  }

  lost(actor: ActorRef): void {
    this.#held.delete(leaseName(actor))
  }

  async release(actor: ActorRef): Promise<void> {
    const name = leaseName(actor)
    if (this.#held.delete(name)) await this.#store.releaseLease(name, this.#holder)
  }

  /**
   * Runs `work` as the only holder of `name`, or answers undefined while another has it. The lease is renewed while
   * the work runs; when that fails `signal` aborts, and appends under the token are refused once another took over.
   */
  async withLease<Result>(
    name: string,
    ttlMs: number,
    work: (lease: Lease, signal: AbortSignal) => Promise<Result>,
  ): Promise<Result | undefined> {
    const lease = await this.#store.acquireLease(name, this.#holder, ttlMs)
    if (lease === undefined) return undefined
    const abort = new AbortController()
    let renewal = Promise.resolve()
    let cancel = () => {}
    const plan = () => {
      cancel = this.#clock.after(ttlMs / 3, () => {
        renewal = this.#store.acquireLease(name, this.#holder, ttlMs).then(
          again =>
            again?.token === lease.token
              ? plan()
              : abort.abort(new AppError('fenced', `The lease '${name}' was lost.`)),
          error => abort.abort(error),
        )
      })
    }
    plan()
    try {
      return await work(lease, abort.signal)
    } finally {
      cancel()
      await renewal
      cancel()
      await this.#store.releaseLease(name, this.#holder)
    }
  }

  start(): void {
    this.#cancel = this.#clock.after(LEASE_MS / 3, () => {
      void this.#renewAll().finally(() => this.start())
    })
  }

  async stop(): Promise<void> {
    this.#cancel?.()
    const names = [...this.#held.keys()]
    this.#held.clear()
    await Promise.allSettled(names.map(name => this.#store.releaseLease(name, this.#holder)))
  }

  async #renewAll(): Promise<void> {
    for (const name of [...this.#held.keys()])
      try {
        if ((await this.#acquire(name, LEASE_MS)) === undefined)
          this.#log.warn({ lease: name }, 'lease lost to another node')
      } catch (error) {
        this.#log.warn({ lease: name, error: String(error) }, 'lease not renewed; it is tried again')
      }
  }

  async #acquire(name: string, ttlMs: number): Promise<Lease | undefined> {
    const lease = await this.#store.acquireLease(name, this.#holder, ttlMs)
    if (lease === undefined) this.#held.delete(name)
    else this.#held.set(name, { token: lease.token, renewAt: this.#clock.now() + ttlMs / 2 })
    return lease
  }
}

function leaseName(actor: ActorRef): string {
  return `actor:${formatActorRef(actor)}`
}
