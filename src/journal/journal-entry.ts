/** One event in the journal: what was accepted, on which state, and under which identity it goes to the log. */
import { z } from 'zod'
import { isJsonObject, type JsonObject } from '../core/json.ts'

const data = z.custom<JsonObject>(isJsonObject)

const entry = z.strictObject({
  actorType: z.string().min(1).max(64),
  actorId: z.int().positive(),
  /** Version of the log on which it was decided. */
  basis: z.int().nonnegative(),
  /** Dots of others, accepted without the log too, that were on top of the state it was decided on. With the basis, all its writer knew. */
  extra: z
    .array(z.tuple([z.string().min(1).max(300), z.int().positive()]))
    .max(1_024)
    .exactOptional(),
  /** Version under which the log may have it already: the append was sent, and nobody knows what became of it. */
  doubtful: z.int().positive().nullable(),
  type: z.string().min(1).max(200),
  schemaVersion: z.int().positive(),
  data,
  /** What merging has to know of the state it was decided on. */
  observed: data.nullable(),
  /** State it led to here. */
  state: z.string().max(1_000),
  /** ISO 8601, UTC. */
  at: z.iso.datetime(),
  clock: z.string().min(1).max(200),
  userId: z.int().nullable(),
  commandId: z.string().min(1).max(200).nullable(),
  causation: z.int().nullable(),
  correlation: z.string().max(200).nullable(),
  /** The dot: which start of which node accepted it, and its number within that start. */
  node: z.string().min(1).max(200),
  incarnation: z.int().nonnegative(),
  n: z.int().positive(),
})

export type JournalEntry = Readonly<z.output<typeof entry>>

/** An entry on its way to the log. */
export interface AdmittedEntry extends JournalEntry {
  /** The dot it was accepted under, where that is not taken any more and it goes under another. */
  readonly salvaged?: Pick<JournalEntry, 'node' | 'incarnation' | 'n'>
}

/** What other nodes are told of an entry, by its writer. */
export const sharedEntry = entry.omit({ doubtful: true, causation: true, correlation: true }).strip()

export type SharedEntry = Readonly<z.output<typeof sharedEntry>>

/** Undefined where the payload of a frame is none of ours. */
export function parseEntries(payload: Buffer): readonly JournalEntry[] | undefined {
  try {
    const parsed = z
      .array(entry)
      .min(1)
      .safeParse(JSON.parse(payload.toString('utf8')))
    return parsed.success ? parsed.data : undefined
  } catch {
    return undefined
  }
}

/** Under this the log takes it once: the client's id where there is one. */
export function commandIdOf(entry: AdmittedEntry): string {
  return entry.commandId ?? dotOf(entry)
}

/** The one it was accepted under, so that it is known again however often it is salvaged. */
export function dotOf(entry: AdmittedEntry): string {
  const { node, incarnation, n } = entry.salvaged ?? entry
  return `journal:${node}:${incarnation}:${n}`
}
