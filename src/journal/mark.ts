/** Which journal a directory holds, and how far the clock had come of whoever wrote it last. */
import { randomUUID } from 'node:crypto'
import { open, readFile, rename } from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'

const mark = z.strictObject({
  journal: z.uuid(),
  incarnation: z.int().nonnegative(),
  /** A hybrid time: with the entries in the journal, no later one was given out. */
  clock: z.string().min(1).max(300),
})

export type JournalMark = Readonly<z.output<typeof mark>>

const NAME = 'journal.mark'

export function newJournalId(): string {
  return randomUUID()
}

/** Undefined where there is none that can be read: then nothing is known of earlier stamps. */
export async function readMark(dir: string): Promise<JournalMark | undefined> {
  try {
    const parsed = mark.safeParse(JSON.parse(await readFile(path.join(dir, NAME), 'utf8')))
    return parsed.success ? parsed.data : undefined
  } catch {
    return undefined
  }
}

/** The new one is there whole, or the old one is. */
export async function writeMark(dir: string, written: JournalMark): Promise<void> {
  const name = path.join(dir, NAME)
  const draft = await open(`${name}.new`, 'w', 0o600)
  try {
    await draft.writeFile(JSON.stringify(written))
    await draft.datasync()
  } finally {
    await draft.close()
  }
  await rename(`${name}.new`, name)
  const folder = await open(dir, 'r')
  await folder.sync().finally(() => folder.close())
}
