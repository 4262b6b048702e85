/** A node that missed updates: until it has read them, and until it has every actor as the log has it. */
import { sharedNow } from '../fan-out-process.ts'
import { rounded } from '../measure.ts'
import { connected, type Installation } from './installation.ts'

export async function measureCatchUp(installation: Installation, missed: number, progress: (text: string) => void) {
  const { sender, redis } = installation
  progress(`missing ${missed} events`)
  const [receiver] = await installation.receivers(1)
  if (receiver === undefined) throw new Error('no receiver')
  const before = await sender.ask('head', null)
  // It has them in memory as they are now: it wakes with old copies.
  await receiver.ask('caughtUp', new Map([...(await sender.ask('write', 0))]))
  receiver.signal('SIGSTOP')
  try {
    const versions = await sender.ask('write', missed)
    await sender.ask('idle', null)
    // What Redis kept for it is gone, as it is after a longer sleep.
    await redis.call('client', 'kill', 'type', 'pubsub')
    const wokenAt = sharedNow()
    receiver.signal('SIGCONT')
    const awakeAt = await receiver.ask('caughtUp', versions)
    await connected(receiver)
    progress(`reading ${missed} events`)
    const read = await receiver.ask('read', before)
    progress('a node that joins')
    const joinsAt = sharedNow()
    const joining = await installation.another()
    const joinedAt = await joining.ask('caughtUp', versions)
    await joining.close()
    return {
      missed,
      actors: versions.size,
      wakingSeconds: rounded((awakeAt - wokenAt) / 1_000),
      joiningSeconds: rounded((joinedAt - joinsAt) / 1_000),
      readingSeconds: rounded(read.seconds),
      read: read.events,
    }
  } finally {
    receiver.signal('SIGCONT')
  }
}
