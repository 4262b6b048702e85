/** Events as the log returns them, for tests of the bus. */
import type { LogEvent } from '../../src/core/event.ts'
import { actorId } from '../../src/core/ids.ts'

export function logEvent(position: number, change: Partial<LogEvent> = {}): LogEvent {
  return {
    position,
    actorType: 'stream',
    actorId: actorId(7),
    version: position,
    type: 'stream.started',
    schemaVersion: 1,
    data: { bitrateKbps: 6000, title: 'Zürich ☂ "live"' },
    state: 'live',
    at: '2026-01-01T00:00:00.123456Z',
    userId: 3,
    commandId: `command-${position}`,
    causation: null,
    correlation: null,
    node: 'writer',
    incarnation: 1,
    n: position,
    token: null,
    ...change,
  }
}
