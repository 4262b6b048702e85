/** A logger for measurements: what is worth a warning ends the run instead. */
import type { Logger } from '../src/core/ports.ts'

export const SILENT: Logger = {
  debug() {},
  info() {},
  warn: (fields, message) => console.error(`warning: ${message} ${JSON.stringify(fields)}`),
  error: (fields, message) => console.error(`error: ${message} ${JSON.stringify(fields)}`),
}
