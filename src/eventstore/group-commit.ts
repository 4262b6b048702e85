/** The writer: appends that wait while a batch is in flight become the next batch, one statement and one commit for all. */
import { faultPoint } from '#fault-point'
import { AppError } from '../core/errors.ts'
import type { Append, AppendOutcome, Clock, Logger } from '../core/ports.ts'
import type { AppendSpan, Tracer } from '../core/tracing.ts'
import { pause } from '../core/waits.ts'
import { AppendQueue, type WaitingAppend } from './append-queue.ts'
import { type AnswerRow, APPEND_BATCH, batchParameters, outcomes, type Writer } from './append-statement.ts'
import { checkAppend } from './check-append.ts'
import { isBadValue, isConnectionLoss, isRolledBack, sqlState, toAppError } from './pg-errors.ts'
import type { Pool } from './pool.ts'
import type { SilenceWatch } from './silence-watch.ts'

export interface GroupCommitOptions {
  /** A connection that no reader can keep busy. */
  readonly pool: Pool
  readonly writer: Writer
  readonly clock: Clock
  readonly log: Logger
  /** How long batches are sent again after the connection was lost. */
  readonly patienceMs?: number
  /** Absent where nobody asks whether the server is silent. */
  readonly silence?: SilenceWatch | undefined
  /** Absent where tracing is off. */
  readonly tracer?: Tracer
  /** Name of the database, for spans. */
  readonly database?: string
}

const PATIENCE_MS = 10_000
/** A server that accepted a batch and does not answer is given up; the batch is sent again elsewhere. */
const ANSWER_TIMEOUT_MS = 10_000
/** What an event adds to its data in a batch, roughly. */
const ENVELOPE_BYTES = 300

type Answer = { readonly rows: readonly AnswerRow[] } | { readonly error: unknown }

interface Sent {
  readonly batch: readonly WaitingAppend[]
  /** Never rejects. */
  readonly answer: Promise<Answer>
  readonly span: AppendSpan | undefined
}

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
  append(append: Append): Promise<AppendOutcome> {
    return new Promise((resolve, reject) => {
      if (this.#closed) throw new AppError('shutting_down', 'The log is closed. The command was not taken.')
      const data = checkAppend(append)
      const bytes = data.reduce((sum, text) => sum + text.length + ENVELOPE_BYTES, 0)
      this.#queue.refuseWhenFull(bytes)
      const n = this.#n + 1
      this.#n += append.events.length
      this.#queue.push({ append, data, n, bytes, resolve, reject })
      this.#running ??= this.#drain()
    })
  }

  /** Writes what waits, then takes nothing more. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#running
  }

  /**
   * One batch at a time. What waits when a batch is answered is sent before its answers are given out: Postgres works on
   * the next while the callers make of this one what comes after.
   */
  async #drain(): Promise<void> {
    for (let sent = await this.#sendSoon(); sent !== undefined; ) {
      const answer = await sent.answer
      const next = this.#sendNext()
      await this.#settle(sent, answer)
      sent = next ?? (await this.#sendSoon())
    }
    this.#awaySince = undefined
    this.#running = undefined
  }

  /** Everything that is appended in this turn of the event loop shares the batch. */
  async #sendSoon(): Promise<Sent | undefined> {
    await new Promise<void>(turn => setImmediate(turn))
    return this.#sendNext()
  }

  #sendNext(): Sent | undefined {
    return this.#queue.length === 0 ? undefined : this.#start(this.#queue.nextBatch())
  }

  #start(batch: readonly WaitingAppend[]): Sent {
    const { tracer, writer, database } = this.#options
    const span = tracer?.append({
      id: `${writer.incarnation}.${batch[0]?.n}`,
      database,
      appends: batch.map(({ append }) => append),
    })
    const answer = this.#send(batch, span).then(
      rows => ({ rows }),
      (error: unknown) => ({ error }),
    )
    return { batch, answer, span }
  }

  async #settle({ batch, span }: Sent, answer: Answer): Promise<void> {
    try {
      if ('error' in answer) throw answer.error
      const answers = outcomes(this.#options.writer, batch, answer.rows)
      span?.answered(answers)
      for (let index = 0; index < batch.length; index++) batch[index]?.resolve(answers[index] as AppendOutcome)
    } catch (error) {
      const reason = toAppError(error)
      span?.failed(reason, sqlState(error))
      if (!isBadValue(error)) {
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
        for (const half of [batch.slice(0, middle), batch.slice(middle)]) {
          const sent = this.#start(half)
          await this.#settle(sent, await sent.answer)
        }
      }
    }
  }

  /** Sends the batch until it is answered. It may be sent twice: `append_batch` recognises its dots. */
  async #send(batch: readonly WaitingAppend[], span: AppendSpan | undefined): Promise<readonly AnswerRow[]> {
    const { pool, writer, clock, log, silence, patienceMs = PATIENCE_MS } = this.#options
    const values = batchParameters(writer, batch)
    for (let attempt = 0; ; attempt++) {
      try {
        const query = {
          name: 'append_batch',
          text: APPEND_BATCH,
          values,
          rowMode: 'array' as const,
          query_timeout: ANSWER_TIMEOUT_MS,
        }
        faultPoint('batch.before-send')
        const send = () => pool.query<AnswerRow>(query)
        const { rows } = await (silence === undefined ? send() : silence.observe(send))
        faultPoint('batch.answered')
        this.#awaySince = undefined
        return rows
      } catch (error) {
        if (!isConnectionLoss(error) && !isRolledBack(error)) throw error
        const now = clock.now()
        // A clock that was set back meanwhile makes the patience longer by itself at the most, not by hours.
        this.#awaySince = Math.min(this.#awaySince ?? now, now)
        if (now - this.#awaySince >= patienceMs) throw error
        span?.resent()
        log.warn(
          { appends: batch.length, attempt, error: (error as Error).message },
          'a batch of appends was not answered; it is sent again',
        )
        await pause(clock, Math.min(50 * 2 ** attempt, 1_000))
      }
    }
  }
}
