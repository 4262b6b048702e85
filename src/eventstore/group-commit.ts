/** The writer: appends that wait while a batch is in flight become the next batch, one statement and one commit for all. */
import { faultPoint } from '#fault-point'
import { AppError } from '../core/errors.ts'
import type { Append, AppendOutcome, Clock, Logger } from '../core/ports.ts'
import { AppendQueue, type WaitingAppend } from './append-queue.ts'
import { type AnswerRow, eventsJson, extrasJson, outcomes, type Writer } from './append-statement.ts'
import { checkAppend } from './check-append.ts'
import { isBadValue, isConnectionLoss, isRolledBack, sqlState, toAppError } from './pg-errors.ts'
import type { Pool } from './pool.ts'

export interface GroupCommitOptions {
  /** A connection that no reader can keep busy. */
  readonly pool: Pool
  readonly writer: Writer
  readonly clock: Clock
  readonly log: Logger
  /** How long batches are sent again after the connection was lost. */
  readonly patienceMs?: number
}

const PATIENCE_MS = 10_000
/** A server that accepted a batch and does not answer is given up; the batch is sent again elsewhere. */
const ANSWER_TIMEOUT_MS = 10_000
/** What an event adds to its data in a batch, roughly. */
const ENVELOPE_BYTES = 300

export class GroupCommit {
  readonly #options: GroupCommitOptions
  readonly #queue = new AppendQueue()
  #n = 0
  #running: Promise<void> | undefined
  #closed = false
  /** Since when no batch was answered: what queues up meanwhile shares the patience of the batch before it. */
  #awaySince: number | undefined

  constructor(options: GroupCommitOptions) {
    this.#options = options
  }

  /** Resolves when the append is durable or was refused. Throws AppError `invalid_event`, `overloaded`, `log_unavailable`. */
  async append(append: Append): Promise<AppendOutcome> {
    if (this.#closed) throw new AppError('shutting_down', 'The log is closed. The command was not taken.')
    const data = checkAppend(append)
    const bytes = data.reduce((sum, text) => sum + text.length + ENVELOPE_BYTES, 0)
    this.#queue.refuseWhenFull(bytes)
    const n = this.#n + 1
    this.#n += append.events.length
    return new Promise((resolve, reject) => {
      this.#queue.push({ append, data, n, bytes, resolve, reject })
      // Everything that is sent in this turn of the event loop shares the first batch.
      this.#running ??= new Promise<void>(started => setImmediate(started)).then(() => this.#drain())
    })
  }

  /** Writes what waits, then takes nothing more. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#running
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) await this.#commit(this.#queue.nextBatch())
    this.#awaySince = undefined
    this.#running = undefined
  }

  async #commit(batch: readonly WaitingAppend[]): Promise<void> {
    try {
      const answers = outcomes(this.#options.writer, batch, await this.#send(batch))
      for (const [index, { resolve }] of batch.entries()) resolve(answers[index] as AppendOutcome)
    } catch (error) {
      if (!isBadValue(error)) {
        const reason = toAppError(error)
        for (const { reject } of batch) reject(reason)
      } else if (batch.length === 1) {
        batch[0]?.reject(
          new AppError(
            'invalid_event',
            `Postgres cannot store this event (SQLSTATE ${sqlState(error)}). Nothing was changed.`,
            { cause: error },
          ),
        )
      } else {
        // One append holds a value that no check foresaw: halve the batch until it stands alone.
        const middle = Math.ceil(batch.length / 2)
        await this.#commit(batch.slice(0, middle))
        await this.#commit(batch.slice(middle))
      }
    }
  }

  /** Sends the batch until it is answered. It may be sent twice: `append_batch` recognises its dots. */
  async #send(batch: readonly WaitingAppend[]): Promise<readonly AnswerRow[]> {
    const { pool, writer, clock, log, patienceMs = PATIENCE_MS } = this.#options
    const values = [eventsJson(writer, batch), extrasJson(batch)]
    for (let attempt = 0; ; attempt++) {
      try {
        const query = {
          name: 'append_batch',
          text: 'select * from append_batch($1, $2)',
          values,
          rowMode: 'array' as const,
          query_timeout: ANSWER_TIMEOUT_MS,
        }
        faultPoint('batch.before-send')
        const { rows } = await pool.query<AnswerRow>(query)
        faultPoint('batch.answered')
        this.#awaySince = undefined
        return rows
      } catch (error) {
        if (!isConnectionLoss(error) && !isRolledBack(error)) throw error
        const now = clock.now()
        // A clock that was set back meanwhile makes the patience longer by itself at the most, not by hours.
        this.#awaySince = Math.min(this.#awaySince ?? now, now)
        if (now - this.#awaySince >= patienceMs) throw error
        log.warn(
          { appends: batch.length, attempt, error: (error as Error).message },
          'a batch of appends was not answered; it is sent again',
        )
        await new Promise<void>(resolve => clock.after(Math.min(50 * 2 ** attempt, 1_000), resolve))
      }
    }
  }
}
