/** How every answer of server-sent events begins. */
import type { ServerResponse } from 'node:http'

export function writeSseHead(out: ServerResponse): void {
  out.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
    // The connection is of no use for anything else once the stream has ended.
    connection: 'close',
  })
}
