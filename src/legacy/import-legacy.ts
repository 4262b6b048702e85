/** Gives the rows of a 24.2 database a history: one genesis event each, which carries the whole row. */
import { AppError } from '../core/errors.ts'
import type { ActorId } from '../core/ids.ts'
import { type JsonObject, poison } from '../core/json.ts'
import type { Append, AppendOutcome, Clock, EventStore } from '../core/ports.ts'
import { formatStateValue } from '../core/state.ts'
import type { Pool } from '../eventstore/pool.ts'
import { decide, eventDefinition, initialState, stamp } from '../machines/decide.ts'
import type { EntityDefinition, View } from '../machines/define.ts'
import { subjectOf } from '../machines/personal.ts'
import {
  addedColumns,
  countRows,
  idsWithEvents,
  judgeEventLog,
  type LegacyEventLog,
  type LegacyRow,
  legacyRows,
  quarantine,
  tableExists,
} from './legacy-rows.ts'

export interface ImportOptions {
  readonly pool: Pool
  readonly entities: readonly EntityDefinition[]
  readonly clock: Clock
  /** Where the events go; undefined for a dry run, which reads and reports and writes nothing. */
  readonly store: EventStore | undefined
  onProgress?(progress: { readonly table: string; readonly done: number; readonly rows: number }): void
}

export interface ImportProblem {
  readonly id: number
  readonly problem: string
  /** Whether the row was (or would be) imported all the same. */
  readonly imported: boolean
}

export interface TableImport {
  readonly table: string
  readonly actorType: string
  readonly rows: number
  /** Rows that got (or would get) a genesis event. */
  readonly imported: number
  /** Rows that had one. */
  readonly already: number
  readonly problems: readonly ImportProblem[]
  /** Columns that 24.2 does not have: kept in the table, not part of a rebuild. */
  readonly addedColumns: readonly string[]
}

export interface ImportReport {
  readonly dryRun: boolean
  readonly tables: readonly TableImport[]
  /** Undefined where the database has no 24.2 event log. */
  readonly eventLog: LegacyEventLog | undefined
}

type Viewed = EntityDefinition & { readonly view: View }

/** May be interrupted and run again: what has events is passed over. Throws AppError `log_unavailable`. */
export async function importLegacy(options: ImportOptions): Promise<ImportReport> {
  const { pool, store, entities } = options
  const migrated = await tableExists(pool, 'events')
  if (store !== undefined && !migrated)
    throw new AppError('schema_mismatch', 'The database is not migrated. Nothing was changed. Run: rootstream migrate')
  const tables: TableImport[] = []
  for (const entity of entities)
    if (hasView(entity) && (await tableExists(pool, entity.view.table)))
      tables.push(await importTable(options, entity, migrated))
  const eventLog = (await tableExists(pool, 'event_log')) ? await judgeEventLog(pool) : undefined
  if (store !== undefined && eventLog !== undefined) await quarantine(pool)
  return { dryRun: store === undefined, tables, eventLog }
}

async function importTable(options: ImportOptions, entity: Viewed, migrated: boolean): Promise<TableImport> {
  const { pool, store, onProgress } = options
  const { rows, highest } = await countRows(pool, entity.view.table)
  if (store !== undefined) await store.reserveIds(entity.type, highest)
  const importer = new TableImporter(options, entity)
  let done = 0
  let already = 0
  for await (const page of legacyRows(pool, entity.view)) {
    const known = migrated
      ? await idsWithEvents(
          pool,
          entity.type,
          page.map(({ id }) => id),
        )
      : new Set<number>()
    const fresh = page.filter(({ id }) => !known.has(id))
    already += page.length - fresh.length
    // All at once, so that they share commits.
    await Promise.all(fresh.map(row => importer.add(row)))
    done += page.length
    onProgress?.({ table: entity.view.table, done, rows })
  }
  return {
    table: entity.view.table,
    actorType: entity.type,
    rows,
    imported: importer.imported,
    already: already + importer.already,
    problems: importer.problems.sort((a, b) => a.id - b.id),
    addedColumns: await addedColumns(pool, entity.view),
  }
}

class TableImporter {
  imported = 0
  already = 0
  readonly problems: ImportProblem[] = []
  readonly #options: ImportOptions
  readonly #entity: Viewed
  /** Claims of a dry run, which has no log to hold them. */
  readonly #claimed = new Set<string>()

  constructor(options: ImportOptions, entity: Viewed) {
    this.#options = options
    this.#entity = entity
  }

  async add({ id, row }: LegacyRow): Promise<void> {
    if (row === undefined) return this.#problem(id, 'a number is too large to be exact', false)
    try {
      const outcome = await this.#write(id, { row })
      if (outcome.outcome === 'claimed') return await this.#addWithExactNames(id, { row }, outcome.kind)
      this.#count(outcome)
    } catch (error) {
      // Away is away: the import stops and is run again. What is wrong with one row is that row's problem.
      if (error instanceof AppError && error.code !== 'invalid_event') throw error
      this.#problem(id, (error as Error).message, false)
    }
  }

  /** 24.2 told `Bob` from `bob`; both are imported, the later one under its name as written. */
  async #addWithExactNames(id: number, data: JsonObject, kind: string): Promise<void> {
    const same = `the same as another row's but for letter case or Unicode form (${kind})`
    if ('exactNames' in eventDefinition(this.#entity, this.#genesis).schema.shape) {
      const outcome = await this.#write(id, { ...data, exactNames: true })
      if (outcome.outcome !== 'claimed') {
        this.#count(outcome)
        return this.#problem(id, `a name is ${same}; it is kept as written`, true)
      }
    }
    this.#problem(id, `a name is ${same}`, false)
  }

  async #write(id: number, data: JsonObject): Promise<AppendOutcome> {
    const append = this.#append(id, data)
    if (this.#options.store !== undefined) return this.#options.store.append(append)
    const keys = (append.claims ?? []).map(({ kind, key }) => ({ kind, name: `${kind}:${key}` }))
    const taken = keys.find(({ name }) => this.#claimed.has(name))
    if (taken !== undefined) return { outcome: 'claimed', kind: taken.kind }
    for (const { name } of keys) this.#claimed.add(name)
    return { outcome: 'appended', events: [] }
  }

  #append(id: number, data: JsonObject): Append {
    const entity = this.#entity
    const definition = eventDefinition(entity, this.#genesis)
    const parsed = definition.schema.safeParse(data)
    if (!parsed.success)
      throw new AppError(
        'invalid_event',
        parsed.error.issues.map(issue => `${issue.path.slice(1).join('.')}: ${issue.message}`).join('; '),
      )
    const why = poison(data, JSON.stringify(data))
    if (why !== undefined) throw new AppError('invalid_event', why)
    const at = new Date(this.#options.clock.now()).toISOString()
    const decision = decide(entity, initialState(entity), stamp(this.#genesis, at, data))
    if (decision === undefined) throw new AppError('invalid_event', `${entity.type} does not take ${this.#genesis}`)
    const claims = entity.claims(decision.state)
    // Effects are for what happens from now on: what 24.2 did is done.
    const timers = decision.timers.filter(({ kind }) => kind === 'event')
    const subject = subjectOf(entity, id, decision.state)
    return {
      actor: { type: entity.type, id: id as ActorId },
      expectedVersion: 0,
      events: [
        {
          type: this.#genesis,
          schemaVersion: definition.version,
          data,
          state: formatStateValue(decision.state.value),
          at,
          userId: null,
          commandId: `import:${entity.view.table}:${id}`,
          causation: null,
          correlation: null,
        },
      ],
      ...(subject === undefined ? {} : { subject }),
      ...(claims.length === 0 ? {} : { claims }),
      ...(timers.length === 0 ? {} : { timers }),
    }
  }

  get #genesis(): string {
    return `${this.#entity.type}.imported`
  }

  #count({ outcome }: AppendOutcome): void {
    if (outcome === 'appended') this.imported++
    // Another import, or a command to that very id, came first.
    else this.already++
  }

  #problem(id: number, problem: string, imported: boolean): void {
    this.problems.push({ id, problem, imported })
  }
}

function hasView(entity: EntityDefinition): entity is Viewed {
  return entity.view !== undefined && Object.hasOwn(entity.events, `${entity.type}.imported`)
}
