/** The whole state of an actor as a copy to keep, and what brings that copy forward. */
import { z } from 'zod'
import type { RuntimeNode } from '../../app.ts'
import { actorId } from '../../core/ids.ts'
import { maskDelta } from '../../snapshots/delta.ts'
import { maskSnapshot } from '../../snapshots/snapshot.ts'
import { encodeSnapshot } from '../../snapshots/snapshot-bytes.ts'
import { delta, snapshot } from '../answers.ts'
import { answers } from '../api-document.ts'
import type { HttpApp } from '../http-app.ts'
import { actorPath, deltaQuery, snapshotHeaders } from '../input.ts'
import { matchesEtag } from '../match-etag.ts'

const BYTES = 'application/octet-stream'

export function snapshotRoutes(app: HttpApp, node: RuntimeNode): void {
  app.get(
    '/v1/actors/:type/:id/snapshot',
    {
      schema: {
        summary: 'The whole state of an actor, as a copy to keep',
        description: `JSON, or with \`Accept: ${BYTES}\` the compressed form that \`decodeSnapshot\` reads.`,
        operationId: 'getSnapshot',
        tags: ['actors'],
        params: actorPath,
        headers: snapshotHeaders,
        ...answers({
          200: [
            { contentType: 'application/json', schema: snapshot },
            {
              contentType: BYTES,
              schema: z.string().describe('`RSS`, format, coding, and the JSON, plain or as brotli.'),
            },
          ],
          304: null,
        }),
      },
    },
    async (request, reply) => {
      const { type, id } = request.params
      const found = maskSnapshot(await node.getSnapshot(type, actorId(id)))
      const etag = `"${found.version}"`
      const asBytes = prefersBytes(request.headers.accept)
      // The same version in two forms: only one of them can have the strong tag, which commands may be conditional on.
      reply.header('etag', asBytes ? `W/${etag}` : etag).header('vary', 'accept')
      if (matchesEtag(request.headers['if-none-match'], etag)) return reply.code(304).send()
      return asBytes ? reply.type(BYTES).send(encodeSnapshot(found)) : found
    },
  )

  app.get(
    '/v1/actors/:type/:id/delta',
    {
      schema: {
        summary: 'What happened to an actor since a version',
        operationId: 'getDelta',
        tags: ['actors'],
        params: actorPath,
        querystring: deltaQuery,
        ...answers({ 200: delta }),
      },
    },
    async request => {
      const { type, id } = request.params
      return maskDelta(await node.getDelta(type, actorId(id), request.query.since ?? 0))
    },
  )
}

/** Accept (RFC 9110), as far as it names one of the two forms: JSON unless the bytes are wanted more. */
function prefersBytes(accept: string | undefined): boolean {
  const quality = (name: string) => {
    const range = accept?.split(',').find(part => part.split(';')[0]?.trim().toLowerCase() === name)
    if (range === undefined) return 0
    const given = /;\s*q=([0-9.]+)/i.exec(range)?.[1]
    return given === undefined ? 1 : Number(given) || 0
  }
  return quality(BYTES) > quality('application/json')
}
