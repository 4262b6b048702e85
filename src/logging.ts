/** The log of the node itself: pino, JSON lines on stderr, without secrets. */
import { pino } from 'pino'
import type { Logger } from './core/ports.ts'
import { redactFields, redactText } from './redaction.ts'

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

interface LineSink {
  write(line: string): void
}

export interface LoggerOptions {
  /** Default `info`. */
  readonly level?: LogLevel
  /** Name of the node, on every line. */
  readonly node?: string
  /** One line for people instead of JSON; default where stderr is a terminal. */
  readonly pretty?: boolean
  /** Default stderr. */
  readonly sink?: LineSink
}

export function createLogger(options: LoggerOptions = {}): Logger {
  const sink = options.sink ?? pino.destination({ dest: 2, sync: true })
  const pretty = options.pretty ?? (options.sink === undefined && process.stderr.isTTY === true)
  const log = pino(
    {
      level: options.level ?? 'info',
      base: options.node === undefined ? null : { node: options.node },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
      // Errors arrive here as the plain values redaction made of them.
      serializers: { err: (value: unknown) => value },
    },
    pretty ? { write: line => sink.write(prettyLine(line)) } : sink,
  )
  const at = (level: 'debug' | 'info' | 'warn' | 'error') => (fields: object, message: string) => {
    if (log.isLevelEnabled(level)) log[level](redactFields(fields), redactText(message))
  }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

export { silentLogger } from './core/silent-logger.ts'

function prettyLine(json: string): string {
  const { time, level, node: _node, msg, ...fields } = JSON.parse(json) as Record<string, unknown>
  const rest = Object.entries(fields).map(([key, value]) => ` ${key}=${prettyValue(value)}`)
  return `${String(time).slice(11, 23)} ${String(level).padEnd(5)} ${printable(String(msg))}${rest.join('')}\n`
}

function prettyValue(value: unknown): string {
  if (typeof value === 'string' && /^[\w./:@+-]+$/.test(value)) return value
  return printable(JSON.stringify(value))
}

// What an outsider put into a message must not steer the terminal.
function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ')
}
