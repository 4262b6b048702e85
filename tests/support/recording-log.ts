/** A logger that keeps what it is told, for tests that ask whether something was said. */
import type { Logger } from '../../src/core/ports.ts'

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly fields: object
  readonly message: string
}

export interface RecordingLog extends Logger {
  readonly lines: readonly LogLine[]
}

export function createRecordingLog(): RecordingLog {
  const lines: LogLine[] = []
  const at = (level: LogLine['level']) => (fields: object, message: string) =>
    void lines.push({ level, fields, message })
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
