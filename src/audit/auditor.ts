/** Seals the log in the background: one sealer in the installation, off the path of commands. */
import { AppError } from '../core/errors.ts'
import type { Clock, Logger, SealedLog, Service } from '../core/ports.ts'
import { createRepeatedWork, type RepeatedWork } from '../core/repeated-work.ts'
import type { SealSummary } from '../core/seal.ts'
import { summary } from './digest.ts'
import { RANGE, sealLog } from './seal-log.ts'
import { type AuditReport, type VerifyOptions, verifyLog } from './verify.ts'

export interface SealingStatus {
  readonly head: number
  /** Position up to which the log is sealed, and the number of seals. */
  readonly sealed: number
  readonly seals: number
  readonly sealedAt: string | null
  /** Why this node cannot seal: the code of the error; null while it can. */
  readonly failing: string | null
}

export interface Auditor extends Service {
  status(): Promise<SealingStatus>
  /** Seals with larger numbers than `after`, in order, at most `limit`. */
  seals(after: number, limit: number): Promise<readonly SealSummary[]>
  /** Reads the whole log and holds it against its seals. */
  verify(options?: Omit<VerifyOptions, 'log'>): Promise<AuditReport>
}

export interface AuditorOptions {
  readonly sealedLog: SealedLog
  readonly clock: Clock
  readonly log: Logger
  /** Runs work as the only one in the installation; undefined while another does. */
  readonly withLease: <Result>(
    name: string,
    ttlMs: number,
    work: (lease: unknown, signal: AbortSignal) => Promise<Result>,
  ) => Promise<Result | undefined>
  /** How often it looks for something to seal, default 10 s: what is younger can be changed without a trace. */
  readonly everyMs?: number
}

const EVERY_MS = 10_000
const LEASE = 'audit:seal'
const LEASE_MS = 15_000
/** Between two full ranges: a long log that was never sealed takes no more than about half of the node's time. */
const PAUSE_MS = 10

export function createAuditor(options: AuditorOptions): Auditor {
  return new BackgroundSealer(options)
}

class BackgroundSealer implements Auditor {
  readonly #options: AuditorOptions
  readonly #looks: RepeatedWork
  #endPause: () => void = () => {}
  #stopped = false
  #failing: string | null = null

  constructor(options: AuditorOptions) {
    this.#options = options
    this.#looks = createRepeatedWork(options.clock, options.everyMs ?? EVERY_MS, () => this.#look())
  }

  async start(): Promise<void> {
    this.#looks.start()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#endPause()
    await this.#looks.stop()
  }

  async status(): Promise<SealingStatus> {
    const { sealedLog } = this.#options
    const [head, tip] = [await sealedLog.head(), await sealedLog.lastSeal()]
    return {
      head,
      sealed: tip?.last ?? 0,
      seals: tip?.number ?? 0,
      sealedAt: tip?.sealedAt ?? null,
      failing: this.#failing,
    }
  }

  async seals(after: number, limit: number): Promise<readonly SealSummary[]> {
    return (await this.#options.sealedLog.seals(after, limit)).map(summary)
  }

  verify(options: Omit<VerifyOptions, 'log'> = {}): Promise<AuditReport> {
    return verifyLog({ ...options, log: this.#options.sealedLog })
  }

  /** Never throws: commands go on whatever becomes of the seals. */
  async #look(): Promise<void> {
    const { log, withLease } = this.#options
    try {
      const { head, sealed } = await this.status()
      // The lease is asked for only where there is something to do.
      if (head !== sealed) await withLease(LEASE, LEASE_MS, (_lease, signal) => this.#seal(signal))
      if (this.#failing !== null) log.info({}, 'sealing the log works again')
      this.#failing = null
    } catch (error) {
      const code = error instanceof AppError ? error.code : 'failed'
      if (this.#failing !== code)
        log.error({ error: String(error) }, 'the log could not be sealed; commands are taken, and it is tried again')
      this.#failing = code
    }
  }

  async #seal(signal: AbortSignal): Promise<void> {
    const { sealedLog, clock, log } = this.#options
    await sealLog({
      log: sealedLog,
      clock,
      onSeal: async ({ number, last, events, hash }) => {
        // In a log that is shipped elsewhere this line is a witness too.
        log.info({ seal: number, position: last, events, hash }, 'the log was sealed')
        if (events >= RANGE) await this.#pause()
        return !this.#stopped && !signal.aborted
      },
    })
  }

  #pause(): Promise<void> {
    if (this.#stopped) return Promise.resolve()
    return new Promise(resolve => {
      const cancel = this.#options.clock.after(PAUSE_MS, resolve)
      this.#endPause = () => {
        cancel()
        resolve()
      }
    })
  }
}
