/** All commands the entities of a node take, as schemas for the API document. */
import { z } from 'zod'
import { allowedEvents, initialState } from '../machines/decide.ts'
import type { EntityDefinition } from '../machines/define.ts'

export interface CommandSchemas {
  /** First events of new actors, of all entities. */
  readonly creation: z.ZodType
  /** Any event of any entity. */
  readonly command: z.ZodType
  /** Those of them that have a name in the document: each event, and the events of each entity. */
  readonly named: Readonly<Record<string, z.ZodType>>
}

export function commandSchemas(entities: Iterable<EntityDefinition>): CommandSchemas {
  const named: Record<string, z.ZodType> = {}
  const creations: z.ZodType[] = []
  const commands: z.ZodType[] = []
  for (const entity of entities) {
    const events = new Map<string, z.ZodObject>()
    for (const [type, { schema, internal }] of Object.entries(entity.events)) {
      // What the runtime alone may send is no command.
      if (internal) continue
      const event = z.strictObject({ type: z.literal(type), ...schema.shape })
      named[eventName(entity.type, type)] = event
      events.set(type, event)
    }
    const first = allowedEvents(entity, initialState(entity)).flatMap(type => events.get(type) ?? [])
    for (const [all, suffix, list] of [
      [creations, 'Creation', first],
      [commands, 'Command', [...events.values()]],
    ] as const) {
      if (list.length === 0) continue
      const union = z.discriminatedUnion('type', list as [z.ZodObject, ...z.ZodObject[]])
      named[`${pascalCase(entity.type)}${suffix}`] = union
      all.push(union)
    }
  }
  return { creation: z.union(creations), command: z.union(commands), named }
}

/** Two entities may have events of one name. No type holds an underscore, so no two names are the same. */
function eventName(entity: string, type: string): string {
  return type.startsWith(`${entity}.`) ? type : `${entity}_${type}`
}

function pascalCase(type: string): string {
  return type
    .split('-')
    .map(word => word.charAt(0).toUpperCase() + word.slice(1))
    .join('')
}
