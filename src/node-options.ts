/** What a program that embeds a node may choose. */
import type { AccountSettings } from './accounts/settings.ts'
import type { SmsOptions } from './auth/delivery/sms-webhook.ts'
import type { SmtpOptions } from './auth/delivery/smtp.ts'
import type { KeySource } from './auth/key-source.ts'
import type { Clock, Logger } from './core/ports.ts'
import type { EntityDefinition } from './machines/define.ts'
import type { InProcessHub } from './sync/in-process-bus.ts'
import type { TracerProvider, TracingOptions } from './tracing/tracing-options.ts'

export interface NodeOptions {
  /** `postgres://…`. Without it the node brings a Postgres of its own, with its data under `home`. */
  readonly database?: string
  /** `redis://…` or `rediss://…`. Without it events reach only the subscribers of this node, and of those with the same `hub`. */
  readonly redis?: string
  /** Without Redis: where nodes of this process meet that are given the same one. */
  readonly hub?: InProcessHub
  /** PEM file of the authority that signed the Redis server's certificate. */
  readonly redisCa?: string
  /** Keeps the Redis keys and channels of RootStream 24.2 up to date for its readers; needs `redis`. */
  readonly legacyRedis?: boolean
  /**
   * Directory of this node alone: the embedded Postgres, default `.rootstream` in the working directory, and the journal.
   * With `database` and without this there is no journal, and nothing is taken while Postgres is away.
   */
  readonly home?: string
  /** How long a command waits for Postgres before it fails or is taken into the journal, default 10 s. */
  readonly patienceMs?: number
  /**
   * How long a read of the log waits for Postgres, in milliseconds, default 5,000. Half of it without a word from Postgres,
   * and it counts as silent: reads fail at once, and what can be merged is taken into the journal.
   */
  readonly readPatienceMs?: number
  /** Bytes the journal may take on disk, default 64 MiB; when it is full, commands fail as `overloaded`. */
  readonly journalBytes?: number
  /** How long Postgres may be away before nothing is taken into the journal any more, default an hour: see `clock` in `/health`. */
  readonly clockLeaseMs?: number
  /** Keeps everything in memory: for tests, gone when the process ends. */
  readonly memory?: boolean
  /** Shows in every event this node writes: 1 to 63 letters, digits, dots, dashes or underscores; default the host name. */
  readonly name?: string
  readonly entities?: readonly EntityDefinition[]
  /** What is not given is `ACCOUNT_DEFAULTS`. */
  readonly accounts?: Partial<AccountSettings>
  /** MaxMind database (.mmdb) by which sessions are given a place; it is read again when it changes. */
  readonly geoDatabase?: string
  /** The keys that secrets are sealed under, the same for all nodes of a log; default a file `keys` in `home`, made where the log has none yet. */
  readonly keys?: KeySource
  /** The server mails go by. Without it nothing that needs one is offered. */
  readonly mail?: SmtpOptions
  /** The gateway of text messages. */
  readonly sms?: SmsOptions
  readonly log?: Logger
  readonly clock?: Clock
  /** Spans are sent to a collector, by an SDK of the node's own. Without this and `tracerProvider` there are none, at no cost. */
  readonly tracing?: TracingOptions
  /** Spans go to the SDK of the embedding program, which flushes and stops it itself. */
  readonly tracerProvider?: TracerProvider
}
