/** Reads on past a refused body, so that its sender gets to read the answer instead of a broken connection. */
import type { IncomingMessage } from 'node:http'

const MAX_BYTES = 16 * 1024 * 1024

/** Resolves at the end of the body, or where more comes than is worth reading. */
export function discardBody(request: IncomingMessage): Promise<void> {
  if (request.complete || request.destroyed || Number(request.headers['content-length']) > MAX_BYTES)
    return Promise.resolve()
  return new Promise(resolve => {
    let bytes = 0
    const over = () => {
      request.off('data', onData).off('end', over).off('close', over)
      resolve()
    }
    const onData = (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > MAX_BYTES) over()
    }
    request.on('data', onData).once('end', over).once('close', over).resume()
  })
}
