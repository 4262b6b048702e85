/** What happens to a conflict. */
import { z } from 'zod'
import { event, type MachineEvent, unchanged } from '../define.ts'
import { count, name, text } from '../fields.ts'

export const SIDES = ['log', 'event'] as const

const data = z.record(z.string(), z.json())

/** The event that was accepted while the log was away, and where it met the log. */
const met = {
  actorType: name(64),
  actorId: z.int().min(1),
  /** State the actor was in then. */
  actorState: text(1_000),
  eventType: name(200),
  /** As it was accepted; the repeated command is told by it. */
  given: data,
  basis: count,
  version: count,
  clock: name(200),
  node: name(200),
  incarnation: z.int().min(0),
  n: z.int().min(1),
  /** The user whom the data is about, where it is about one. */
  subject: z.int().min(1).optional(),
}

export const events = {
  'conflict.opened': event(
    2,
    z.object({
      ...met,
      strategy: name(100),
      fields: z.array(text(200)),
      winner: z.enum(SIDES),
      loser: data,
      also: data.optional(),
    }),
    { internal: true, upcasters: { 1: unchanged } },
  ),
  'conflict.absorbed': event(2, z.object(met), { internal: true, upcasters: { 1: unchanged } }),
  'conflict.settled': event(1, z.object({ keep: z.enum(SIDES) })),
  'conflict.applied': event(1, z.object({ taken: z.boolean() }), { internal: true }),
  // The user was erased: it is settled, and what the sides were is forgotten.
  'conflict.erased': event(1, z.object({}), { internal: true }),
}

export type ConflictEvent = MachineEvent<typeof events>
