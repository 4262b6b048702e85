/** What commands print: tables and lines for people, one JSON document for programs, progress only where someone watches. */
import { writeSync } from 'node:fs'

export interface Output {
  readonly json: boolean
  /** Whether the reader went away (`| head`): what is printed from then on goes nowhere. */
  readonly unread: boolean
  /** The result: in JSON the document, for people what `show` prints of it. */
  result(document: unknown, show: () => void): void
  line(text: string): void
  table(rows: readonly Readonly<Record<string, unknown>>[], columns: readonly string[]): void
  /** Overwrites itself on a terminal; silent elsewhere and in JSON. */
  progress(label: string, done: number, total: number): void
}

export function createOutput(json: boolean): Output {
  const line = (text: string) => write(1, `${text}\n`)
  let shown = false
  const clear = () => {
    if (shown) write(2, '\r\u001b[K')
    shown = false
  }
  return {
    json,
    get unread() {
      return readerIsGone
    },
    line,
    result: (document, show) => {
      clear()
      if (json) line(JSON.stringify(document))
      else show()
    },
    table: (rows, columns) => {
      const cells = [columns, ...rows.map(row => columns.map(column => cell(row[column])))]
      const widths = columns.map((_, index) => Math.max(...cells.map(row => (row[index] ?? '').length)))
      for (const row of cells)
        line(
          row
            .map((text, index) => text.padEnd(widths[index] ?? 0))
            .join('  ')
            .trimEnd(),
        )
    },
    progress: (label, done, total) => {
      if (json || process.stderr.isTTY !== true) return
      const share = total === 0 ? 1 : Math.min(1, done / total)
      const bar = '█'.repeat(Math.round(share * 30)).padEnd(30, '░')
      write(2, `\r\u001b[K${label} ${bar} ${done}/${total}`)
      shown = true
    },
  }
}

function cell(value: unknown): string {
  return printable(
    value === null || value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value),
  )
}

/** What an outsider wrote into an event must not steer the terminal. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]/gu, ' ')
}

let readerIsGone = false

/**
 * At once and whole, also into a pipe. A command whose reader has gone (`| head`) still comes to its end: it has a
 * server to stop, work to finish and an exit code to give.
 */
export function write(descriptor: 1 | 2, text: string): void {
  let rest = Buffer.from(text)
  while (rest.length > 0 && !(descriptor === 1 && readerIsGone))
    try {
      rest = rest.subarray(writeSync(descriptor, rest))
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EPIPE' && descriptor === 2) return
      if (code === 'EPIPE') readerIsGone = true
      else if (code !== 'EAGAIN') throw error
    }
}
