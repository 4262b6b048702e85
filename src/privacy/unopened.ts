/** A log read without its keys: personal data reads as if it were erased, and history leads to the same states. */
import type { LogEvent } from '../core/event.ts'
import { sealedPart } from '../core/personal.ts'
import type { EventStore } from '../core/ports.ts'
import type { EntityDefinition } from '../machines/define.ts'
import { openEvent, openSnapshot } from './sealed-data.ts'

type Readable = Pick<EventStore, 'readStream' | 'loadSnapshot'>

/** Snapshots that are sealed are left out. */
export function unopened<Reader extends Readable>(reader: Reader, entities: readonly EntityDefinition[]): Reader {
  const byType = new Map(entities.map(entity => [entity.type, entity]))
  async function* erased(chunks: AsyncIterable<readonly LogEvent[]>): AsyncIterable<readonly LogEvent[]> {
    for await (const events of chunks)
      yield events.map(event =>
        sealedPart(event.data) === undefined ? event : openEvent(byType.get(event.actorType), null, event, () => {}),
      )
  }
  return {
    ...reader,
    readStream: (actor, range) => erased(reader.readStream(actor, range)),
    loadSnapshot: async actor => {
      const snapshot = await reader.loadSnapshot(actor)
      return snapshot && openSnapshot(actor, null, snapshot)
    },
  }
}
