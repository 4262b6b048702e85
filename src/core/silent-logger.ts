/** A logger for callers that must be quiet. */
import type { Logger } from './ports.ts'

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} }
