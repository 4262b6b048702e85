/** A hash of the code by which entities are folded: a rebuild may only go on where the same code began it. */
import { createHash } from 'node:crypto'
import type { EntityDefinition } from '../machines/define.ts'

/** Sees what an entity holds, down to the source of its functions; not what those call in other modules. */
export function fingerprint(entities: readonly EntityDefinition[]): string {
  const hash = createHash('sha256')
  const seen = new Set<object>()
  const add = (value: unknown): void => {
    if (typeof value === 'function') hash.update(`f${value}`)
    else if (typeof value !== 'object' || value === null) hash.update(`${typeof value}:${String(value)};`)
    if ((typeof value !== 'object' || value === null) && typeof value !== 'function') return
    if (seen.has(value)) return
    seen.add(value)
    // XState hangs what an action or guard does on the function that stands for it.
    for (const key of Object.keys(value).sort()) {
      hash.update(`${key}=`)
      add((value as Record<string, unknown>)[key])
    }
    hash.update('.')
  }
  for (const { type, view, machine, events } of entities) {
    add(type)
    add(view)
    add(machine.config)
    add(machine.implementations)
    for (const [name, { version, upcasters }] of Object.entries(events)) add([name, version, upcasters])
  }
  return hash.digest('hex').slice(0, 16)
}
