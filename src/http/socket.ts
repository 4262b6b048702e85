/** The Unix socket: whoever may open its file may use the API. */
import { once } from 'node:events'
import { chmodSync, existsSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { AppError } from '../core/errors.ts'
import type { HttpApp } from './http-app.ts'

/** A socket file that nobody answers on is left over from a node that was killed. Throws AppError `already_running`. */
export async function listenOnSocket(app: HttpApp, socket: string): Promise<void> {
  if (existsSync(socket)) {
    if (await answers(socket))
      throw new AppError(
        'already_running',
        `A node listens on ${socket}. Nothing was changed. Stop it, or set ROOTSTREAM_SOCKET.`,
      )
    rmSync(socket)
  }
  // The file is made with no rights for others: there is no moment in which they could connect.
  const before = process.umask(0o117)
  try {
    await app.listen({ path: socket })
  } finally {
    process.umask(before)
  }
  chmodSync(socket, 0o660)
}

async function answers(socket: string): Promise<boolean> {
  const connection = connect(socket)
  try {
    await once(connection, 'connect')
    return true
  } catch {
    return false
  } finally {
    connection.destroy()
  }
}
