/** SQL that writes the table of a view: the read table itself, or its copy while it is rebuilt. */
import type { PoolClient } from '../eventstore/pool.ts'
import type { EntityDefinition, Row, View } from '../machines/define.ts'

/** An entity with a read table. */
export type Viewed = EntityDefinition & { readonly view: View }

export function isViewed(entity: EntityDefinition | undefined): entity is Viewed {
  return entity?.view !== undefined
}

/** Name of the table in which the rows of a view are kept. */
export type TableName = (view: View) => string

export const liveTable: TableName = view => view.table
export const shadowTable: TableName = view => `rebuild_${view.table}`

/** Identifiers come from the registry, not from outside; they are quoted because a column may be called `timestamp`. */
export function quoted(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`
}

export class ReadTable {
  readonly view: View
  readonly name: string
  readonly #upsert: string
  readonly #delete: string

  constructor(view: View, tableName: TableName) {
    this.view = view
    this.name = tableName(view)
    this.#upsert = upsertSql(view, quoted(this.name))
    this.#delete = `delete from ${quoted(this.name)} where id = any($1)`
  }

  /** Writes the rows that differ from what is stored. Secondary unique constraints are checked when the transaction commits. */
  async upsert(client: PoolClient, rows: readonly Row[]): Promise<void> {
    if (rows.length === 0) return
    await client.query({ name: `upsert_${this.name}`, text: this.#upsert, values: [JSON.stringify(rows)] })
  }

  async delete(client: PoolClient, ids: readonly number[]): Promise<void> {
    if (ids.length === 0) return
    await client.query({ name: `delete_${this.name}`, text: this.#delete, values: [ids] })
  }
}

/** The tables of the entities that have one, by actor type. */
export function readTables(entities: readonly EntityDefinition[], name: TableName): ReadonlyMap<string, ReadTable> {
  return new Map(entities.filter(isViewed).map(({ type, view }) => [type, new ReadTable(view, name)]))
}

/** The columns of a view as a record definition: `"id" integer, "name" text`. */
export function columnDefinitions(view: View): string {
  return Object.entries(view.columns)
    .map(([column, type]) => `${quoted(column)} ${type}`)
    .join(', ')
}

/** Whether two rows of a view differ in anything but their id. */
export function differ(view: View, left: string, right: string): string {
  const columns = otherColumns(view)
  if (columns.length === 0) return 'false'
  const of = (table: string) => columns.map(column => `${table}.${column}`).join(', ')
  return `(row(${of(left)}) is distinct from row(${of(right)}))`
}

/** `"name" = right."name", …` for all columns but the id. */
export function assignments(view: View, right: string): string {
  return otherColumns(view)
    .map(column => `${column} = ${right}.${column}`)
    .join(', ')
}

function otherColumns(view: View): readonly string[] {
  return Object.keys(view.columns)
    .filter(column => column !== 'id')
    .map(quoted)
}

function upsertSql(view: View, table: string): string {
  const columns = Object.keys(view.columns).map(quoted).join(', ')
  const update = `update set ${assignments(view, 'excluded')} where ${differ(view, 'stored', 'excluded')}`
  return `
    insert into ${table} as stored (${columns})
    select ${columns} from json_to_recordset($1) as r (${columnDefinitions(view)})
    on conflict (id) do ${otherColumns(view).length === 0 ? 'nothing' : update}`
}
