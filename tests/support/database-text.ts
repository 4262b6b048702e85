/** Everything a database holds, as one text: for tests that ask whether something is in it, wherever. */
import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import pg from 'pg'

/** A line for each row, after the name of its table. */
export async function databaseText(url: string, tables?: readonly string[]): Promise<string> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const found = await client.query<{ name: string }>(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables
       where schemaname not in ('pg_catalog', 'information_schema') and ($1::text[] is null or tablename = any($1)) order by 1`,
      [tables ?? null],
    )
    const lines: string[] = []
    for (const { name } of found.rows) {
      const { rows } = await client.query<{ line: string }>(`select t::text as line from ${name} t`)
      for (const { line } of rows) lines.push(`${name} ${line}`)
    }
    if (found.rows.length === 0) throw new Error('no tables to look into')
    return lines.join('\n')
  } finally {
    await client.end()
  }
}

/** The files of a database as they lie in the folder of its server, dead rows included; one text of single bytes each. */
export async function databaseFiles(url: string): Promise<readonly string[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query('checkpoint')
    const { rows } = await client.query<{ folder: string; oid: number }>(
      "select current_setting('data_directory') as folder, oid from pg_database where datname = current_database()",
    )
    const [{ folder, oid } = { folder: '', oid: 0 }] = rows
    return textsOfFiles(path.join(folder, 'base', String(oid)))
  } finally {
    await client.end()
  }
}

/** What is in the files of a folder and of those in it; one text of single bytes each. */
export function textsOfFiles(folder: string, wanted: (name: string) => boolean = () => true): readonly string[] {
  const files = globSync('**/*', { cwd: folder, withFileTypes: true }).filter(
    entry => entry.isFile() && wanted(entry.name),
  )
  if (files.length === 0) throw new Error('no files to look into')
  return files.map(({ parentPath, name }) => readFileSync(path.join(parentPath, name), 'latin1'))
}
