/** What an embedding program chooses beside accounts, checked before anything is opened. */
import { z } from 'zod'
import { AppError } from './core/errors.ts'
import { defaultNodeName, isNodeName, NODE_NAME_FORM } from './node-name.ts'
import type { NodeOptions } from './node-options.ts'

const ms = z.int('a whole number of milliseconds, at least 1').min(1, 'at least 1 millisecond').optional()
const CHECKED = z.object({
  name: z.string(NODE_NAME_FORM).refine(isNodeName, NODE_NAME_FORM),
  patienceMs: ms,
  readPatienceMs: ms,
  clockLeaseMs: ms,
  journalBytes: z.int('a whole number of bytes, at least 1').min(1, 'at least 1 byte').optional(),
})

/** With the name the node has. Throws AppError `invalid_input`, which names each wrong option. */
export function checkedOptions(options: NodeOptions): NodeOptions & { readonly name: string } {
  const named = { ...options, name: options.name ?? defaultNodeName() }
  const { error } = CHECKED.safeParse(named)
  if (error === undefined) return named
  const wrong = error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
  throw new AppError('invalid_input', `${wrong.join('; ')}. The node was not started. Correct these options.`)
}
