/** What a name looks like: two names that look the same have the same skeleton (UTS 39, section 4). */
import { readFileSync } from 'node:fs'
import path from 'node:path'

let prototypes: ReadonlyMap<string, string> | undefined

/** Of names in the form in which they are compared. It is good for comparing, never for showing. */
export function skeletonOf(name: string): string {
  prototypes ??= readPrototypes()
  const known = prototypes
  const characters = [...name.normalize('NFKC').toLowerCase().normalize('NFD')]
  return characters
    .map(character => known.get(character) ?? character)
    .join('')
    .normalize('NFD')
    .toLowerCase()
}

function readPrototypes(): ReadonlyMap<string, string> {
  const text = readFileSync(path.join(import.meta.dirname, 'data/lookalikes.txt'), 'utf8')
  const lines = text.trimEnd().split('\n')
  return new Map(
    lines.flatMap(line => {
      const [prototype = '', alike = ''] = line.split('\t')
      return [...alike].map(character => [character, prototype] as const)
    }),
  )
}
