/** The key that the nodes of one log share. */
import { createSecretKey, type KeyObject } from 'node:crypto'
import { type Pool, query } from './pool.ts'

/** As an object that shows nothing of itself where it is printed. Throws AppError `log_unavailable`. */
export async function readFrameKey(pool: Pool): Promise<KeyObject> {
  const [row] = await query<{ key: string }>(pool, { text: 'select key from frame_key' })
  if (row === undefined) throw new Error('the log has no key for its frames')
  return createSecretKey(row.key, 'utf8')
}
