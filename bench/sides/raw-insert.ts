/** The same rows into the same table by plain node-postgres: batches of `rows`, as many connections as are in flight. */
import pg from 'pg'
import { INSERT, parameters, row } from '../peers/raw-insert.ts'
import { keepBusy } from './keep-busy.ts'
import type { OpenedSide } from './side-process.ts'

export async function open({ url, rows }: { url: string; rows: number }): Promise<OpenedSide> {
  const pool = new pg.Pool({ connectionString: url, max: 2 })
  let n = 0
  const insert = async () => {
    const values = parameters(Array.from({ length: rows }, () => row(n++)))
    await pool.query({ name: 'raw_insert', text: INSERT, values, rowMode: 'array' })
  }
  return {
    run: async ({ inFlight, ms }) => rows * (await keepBusy(Array(inFlight).fill(0), ms, insert)),
    close: () => pool.end(),
  }
}
