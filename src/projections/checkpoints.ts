/** Checkpoints: how far a projection is, kept and moved in the transaction of its rows. */
import { type Pool, type PoolClient, query } from '../eventstore/pool.ts'

/** Of the live read tables. */
export const READ_TABLES = 'read_tables'

/** Locked until the transaction ends, which makes its holder the only runner; undefined while another has it, or where there is none. */
export async function lockCheckpoint(
  client: PoolClient,
  name: string,
  whenBusy: 'wait' | 'skip',
): Promise<number | undefined> {
  const { rows } = await client.query<{ position: number }>({
    name: `lock_checkpoint_${whenBusy}`,
    text: `select position from projection_checkpoints where name = $1 for update ${whenBusy === 'skip' ? 'skip locked' : ''}`,
    values: [name],
  })
  return rows[0]?.position
}

/** Keeps a checkpoint from being removed until the transaction ends; false where it is gone. */
export async function holdCheckpoint(client: PoolClient, name: string): Promise<boolean> {
  const { rows } = await client.query({
    name: 'hold_checkpoint',
    text: 'select from projection_checkpoints where name = $1 for share',
    values: [name],
  })
  return rows.length > 0
}

export async function moveCheckpoint(client: PoolClient, name: string, position: number): Promise<void> {
  await client.query({
    name: 'move_checkpoint',
    text: 'update projection_checkpoints set position = $2, updated_at = now() where name = $1',
    values: [name, position],
  })
}

/** Removes a checkpoint and those below it: `rebuild`, `rebuild/stream`. */
export async function removeCheckpoints(client: PoolClient, name: string): Promise<void> {
  await client.query("delete from projection_checkpoints where name = $1 or starts_with(name, $1 || '/')", [name])
}

/** Makes a checkpoint where there is none. */
export async function makeCheckpoint(pool: Pick<Pool, 'query'>, name: string, position = 0): Promise<void> {
  await query(pool, {
    text: 'insert into projection_checkpoints (name, position) values ($1, $2) on conflict do nothing',
    values: [name, position],
  })
}

export async function readCheckpoint(pool: Pick<Pool, 'query'>, name: string): Promise<number | undefined> {
  const [row] = await query<{ position: number }>(pool, {
    name: 'read_checkpoint',
    text: 'select position from projection_checkpoints where name = $1',
    values: [name],
  })
  return row?.position
}
