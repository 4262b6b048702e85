/** Read tables of a runtime that keeps everything in memory: the same rows, held in maps. */
import { AppError } from '../core/errors.ts'
import type { LogEvent } from '../core/event.ts'
import { formatActorRef } from '../core/ids.ts'
import type { Json } from '../core/json.ts'
import type { EventStore } from '../core/ports.ts'
import type { ActorState } from '../core/state.ts'
import { fold, initialState } from '../machines/decide.ts'
import type { EntityDefinition, Row } from '../machines/define.ts'
import type { ProjectionFailure, Projections } from './projections.ts'

const PAGE = 1_000

export function createMemoryProjections({
  store,
  entities,
}: {
  store: EventStore
  entities: readonly EntityDefinition[]
}): Projections {
  const byType = new Map(entities.map(entity => [entity.type, entity]))
  const states = new Map<string, ActorState>()
  const tables = new Map<string, Map<number, Row>>()
  const failed = new Map<string, ProjectionFailure>()
  let position = 0
  let reading: Promise<void> | undefined

  const project = (event: LogEvent): void => {
    const entity = byType.get(event.actorType)
    const key = `${event.actorType}/${event.actorId}`
    if (entity === undefined || failed.has(key)) return
    try {
      const state = fold(entity, states.get(key) ?? initialState(entity), event)
      states.set(key, state)
      if (entity.view === undefined) return
      const rows = tables.get(entity.view.table) ?? new Map<number, Row>()
      tables.set(entity.view.table, rows)
      const row = entity.view.row(event.actorId, state)
      if (row === null) rows.delete(event.actorId)
      else rows.set(event.actorId, row)
    } catch (error) {
      const { actorType, actorId, at } = event
      failed.set(key, { actorType, actorId, position: event.position, error: String(error), failedAt: at })
    }
  }

  const readOn = async (): Promise<void> => {
    for (;;) {
      const events = await store.readAll(position, PAGE)
      for (const event of events) project(event)
      position = events.at(-1)?.position ?? position
      if (events.length < PAGE) return
    }
  }

  const caughtUp = async (wanted?: number): Promise<void> => {
    const target = wanted ?? (await store.head())
    while (position < target) {
      reading ??= readOn().finally(() => {
        reading = undefined
      })
      await reading
    }
  }

  return {
    start: async () => {},
    stop: async () => {},
    wake: () => {},
    heard: () => {},
    caughtUp,
    status: async () => {
      const head = await store.head()
      return { position, head, lag: head - position, failures: failed.size }
    },
    failures: async () => [...failed.values()],
    dropAbandonedRebuild: async () => {},
    retry: async actor => {
      // Nothing that failed here can have changed since: the code and the log are the same.
      return actor === undefined ? failed.size === 0 : !failed.has(formatActorRef(actor))
    },
    find: async (table: string, column: string, value: Json) => {
      await caughtUp()
      const view = entities.find(entity => entity.view?.table === table)?.view
      if (view === undefined || !Object.hasOwn(view.columns, column))
        throw new AppError('invalid_input', `There is no column '${column}' in a read table '${table}'.`)
      return [...(tables.get(table) ?? [])].filter(([, row]) => row[column] === value).map(([id]) => id)
    },
    olderThan: async ({ table, flag, time }, before, after, limit) => {
      await caughtUp()
      return [...(tables.get(table) ?? [])]
        .filter(([id, row]) => id > after && row[flag] === true && Date.parse(String(row[time])) < Date.parse(before))
        .map(([id]) => id)
        .sort((a, b) => a - b)
        .slice(0, limit)
    },
  }
}
