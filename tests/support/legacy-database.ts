/** A 24.2 database as it is found: odd rows made by hand, and as many ordinary ones as wanted. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import pg from 'pg'
import { ADDED } from '../../src/machines/session/row.ts'

const FIXTURE = path.resolve(import.meta.dirname, '../fixtures/legacy-24.2')

export const LEGACY_TABLES = [
  'users',
  'sessions',
  'streams',
  'stream_sessions',
  'recordings',
  'usage_logs',
  'billing_accounts',
  'event_log',
  'snapshots',
] as const

/** Fills an empty database. The generated rows are the same each time. */
export async function populateLegacyDatabase(url: string, options: { users?: number } = {}): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    for (const file of ['schema.sql', 'rows.sql']) await client.query(await readFile(path.join(FIXTURE, file), 'utf8'))
    await generate(client, options.users ?? 0)
  } finally {
    await client.end()
  }
}

/** For each user two sessions, a stream with a broadcast and a recording, usage, and a billing account for every other. */
async function generate(client: pg.Client, users: number): Promise<void> {
  const start = "timestamp '2024-03-01' + n * interval '1 minute 1.000001 second'"
  const statements = [
    `insert into users (username, email, password_hash, display_name, is_verified, is_active, created_at, updated_at)
     select 'user-' || n, 'user-' || n || '@example.org', 'hash-' || n, 'User ' || n, n % 3 = 0, n % 7 <> 0, ${start}, ${start} + interval '1 day'
     from generate_series(1, $1::int) n`,
    `insert into sessions (user_id, session_token, ip_address, expires_at, created_at, last_activity, is_active)
     select u.id, 'generated-' || n || '-' || s, ('10.0.' || n % 256 || '.' || s)::inet, timestamp '2099-01-01', ${start}, ${start}, s = 1
     from generate_series(1, $1::int) n join users u on u.username = 'user-' || n, generate_series(1, 2) s`,
    `insert into streams (user_id, name, stream_key, is_live, viewer_count, bitrate_kbps, created_at, updated_at, started_at, ended_at)
     select u.id, 'Stream ' || n, 'generated-key-' || n, n % 10 = 0, case when n % 10 = 0 then n else 0 end, 4000 + n, ${start}, ${start},
       ${start}, case when n % 10 = 0 then null else ${start} + interval '2 hours' end
     from generate_series(1, $1::int) n join users u on u.username = 'user-' || n`,
    `insert into stream_sessions (stream_id, session_start, session_end, total_viewers, peak_viewers, total_bytes_sent, duration_seconds)
     select id, started_at, ended_at, 10, 5, 1000000, 7200 from streams where stream_key like 'generated-key-%' and $1::int > 0`,
    `insert into recordings (stream_id, session_id, file_path, file_size_bytes, is_processed, created_at)
     select stream_id, id, '/recordings/generated-' || id || '.mkv', 1 + id, true, session_start from stream_sessions where total_bytes_sent = 1000000 and $1::int > 0`,
    `insert into usage_logs (user_id, stream_id, event_type, bytes_transferred, created_at)
     select user_id, id, 'stream_start', 0, started_at from streams where stream_key like 'generated-key-%' and $1::int > 0`,
    `insert into billing_accounts (user_id, payment_method, subscription_tier, monthly_limit_gb)
     select id, 'card', (array['free', 'pro', 'enterprise'])[1 + id % 3], 100 from users where username like 'user-%' and id % 2 = 0 and $1::int > 0`,
  ]
  for (const text of statements) await client.query(text, [users])
}

/** md5 of what 24.2 kept of each row, by table and id. */
export async function rowHashes(client: Pick<pg.Client, 'query'>): Promise<ReadonlyMap<string, string>> {
  const hashes = new Map<string, string>()
  for (const table of LEGACY_TABLES) {
    const { rows } = await client.query<{ id: number; hash: string }>(
      `select id, md5((to_jsonb(t) - $1::text[])::text) as hash from ${table} t`,
      [ADDED],
    )
    for (const { id, hash } of rows) hashes.set(`${table}/${id}`, hash)
  }
  return hashes
}
