/** Appends of one event to streams of Emmett, each awaited before the next of its stream. */
import { openEmmett } from '../peers/emmett.ts'
import { keepBusy } from './keep-busy.ts'
import { sample } from './ours.ts'
import type { OpenedSide } from './side-process.ts'

export async function open({ url }: { url: string }): Promise<OpenedSide> {
  const store = await openEmmett(url)
  return {
    run: ({ inFlight, ms }) =>
      keepBusy(
        Array.from({ length: inFlight }, (_, n) => `stream-${n}`),
        ms,
        (stream, n) => store.appendToStream(stream, [{ type: 'stream.stats.updated', data: sample(n) }]),
      ),
    close: () => store.close(),
  }
}
