/** Questions of effects to the read tables: ids of the rows whose column has a value. */
import { AppError } from '../core/errors.ts'
import type { Json } from '../core/json.ts'
import { type Pool, queryArrays } from '../eventstore/pool.ts'
import type { EntityDefinition } from '../machines/define.ts'
import { quoted } from './read-table.ts'
import { isPoison } from './write-rows.ts'

/** Ids in one answer of the database. */
const PAGE = 10_000
/** Ids in one answer to the caller, who holds them in memory. */
const MAX_IDS = 1_000_000

/**
 * In ascending order. Throws AppError `invalid_input` on a table or column of no view, on a value that no column holds,
 * and where there are more than a million.
 */
export async function find(
  pool: Pool,
  entities: readonly EntityDefinition[],
  table: string,
  column: string,
  value: Json,
): Promise<readonly number[]> {
  const view = entities.find(entity => entity.view?.table === table)?.view
  const type = view !== undefined && Object.hasOwn(view.columns, column) ? view.columns[column] : undefined
  if (type === undefined)
    throw new AppError('invalid_input', `There is no column '${column}' in a read table '${table}'.`)
  if (typeof value === 'object' && value !== null)
    throw new AppError('invalid_input', `A row is found by a single value, not by an object or a list.`)
  const ids: number[] = []
  for (;;) {
    const page = await findPage(pool, { table, column, type }, value, ids.at(-1) ?? 0).catch(error => {
      throw isPoison(error)
        ? new AppError('invalid_input', `'${column}' holds no such value.`, { cause: error })
        : error
    })
    for (const [id] of page) ids.push(id)
    if (page.length < PAGE) return ids
    if (ids.length >= MAX_IDS)
      throw new AppError(
        'invalid_input',
        `More than ${MAX_IDS} rows of '${table}' have that '${column}'. Ask by a column that tells more.`,
      )
  }
}

/** A table with a flag and a time by which its rows are found. */
export interface FlaggedTable {
  readonly table: string
  readonly flag: string
  readonly time: string
}

/** Ids of rows where the flag is true and the time lies before `before`. Throws AppError `invalid_input`. */
export async function olderThan(
  pool: Pool,
  entities: readonly EntityDefinition[],
  { table, flag, time }: FlaggedTable,
  before: string,
  after: number,
  limit: number,
): Promise<readonly number[]> {
  const view = entities.find(entity => entity.view?.table === table)?.view
  if (view?.columns[flag] !== 'boolean' || view.columns[time] !== 'timestamp')
    throw new AppError('invalid_input', `There is no flag '${flag}' with a time '${time}' in a read table '${table}'.`)
  const rows = await queryArrays<[id: number]>(pool, {
    text: `select id::bigint from ${quoted(table)} where ${quoted(flag)} and id > $1 and ${quoted(time)} < $2::timestamptz at time zone 'UTC' order by id limit $3`,
    values: [after, before, limit],
  })
  return rows.map(([id]) => id)
}

function findPage(
  pool: Pool,
  { table, column, type }: { table: string; column: string; type: string },
  value: Json,
  after: number,
): Promise<readonly [id: number][]> {
  // A length as in varchar(50) would cut the value instead of comparing it.
  const plain = type.replace(/\(.*\)/, '')
  const condition = value === null ? `${quoted(column)} is null` : `${quoted(column)} = $2::${plain}`
  return queryArrays<[id: number]>(pool, {
    text: `select id::bigint from ${quoted(table)} where ${condition} and id > $1 order by id limit ${PAGE}`,
    values: value === null ? [after] : [after, value],
  })
}
