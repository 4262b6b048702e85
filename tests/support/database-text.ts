/** Everything a database holds, as one text: for tests that ask whether something is in it, wherever. */
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
