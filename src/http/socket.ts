/** The Unix socket: whoever may open its file may use the API. */
import { once } from 'node:events'
import { chmodSync, rmSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { AppError } from '../core/errors.ts'
import type { HttpApp } from './http-app.ts'

/**
 * A socket file that nobody answers on is left over from a node that was killed; any other file is not ours to remove.
 * Throws AppError `already_running`, `setup_failed`.
 */
export async function listenOnSocket(app: HttpApp, socket: string): Promise<void> {
  const there = statSync(socket, { throwIfNoEntry: false })
  if (there !== undefined && !there.isSocket())
    throw unusable(socket, 'there is a file or folder of that name, and it is no socket')
  if (there !== undefined) {
    if (await answers(socket))
      throw new AppError(
        'already_running',
        `A node listens on ${socket}. Nothing was changed. Stop it, or set ROOTSTREAM_SOCKET.`,
      )
    rmSync(socket, { force: true })
  }
  // The file is made with no rights for others: there is no moment in which they could connect.
  const before = process.umask(0o117)
  try {
    await app.listen({ path: socket })
  } catch (error) {
    throw unusable(socket, (error as Error).message, error)
  } finally {
    process.umask(before)
  }
  chmodSync(socket, 0o660)
}

/** Only a refusal says that nobody is there: a node that is busy, or another user's, does not lose its socket. */
async function answers(socket: string): Promise<boolean> {
  const connection = connect(socket)
  try {
    await once(connection, 'connect')
    return true
  } catch (error) {
    return !['ECONNREFUSED', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')
  } finally {
    connection.destroy()
  }
}

function unusable(socket: string, why: string, cause?: unknown): AppError {
  return new AppError(
    'setup_failed',
    `The socket ${socket} cannot be opened (${why}). Nothing was changed. Set ROOTSTREAM_SOCKET to another path.`,
    { cause },
  )
}
