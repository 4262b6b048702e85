/** What a thousand streams do from sign-up to shutdown, as commands over HTTP, and the list of what was acknowledged. */
import type { Acknowledgement, HttpClient } from '../support/http-client.ts'

export interface LifeOptions {
  readonly streams: number
  /** Lives under way at the same time. */
  readonly concurrency: number
  /** Users that are there already; every other stream belongs to one of them. */
  readonly userIds: readonly number[]
  /** Called after each acknowledgement. */
  onAcknowledged(total: number): void
}

export async function liveThroughStreams(
  client: HttpClient,
  options: LifeOptions,
): Promise<readonly Acknowledgement[]> {
  const acknowledged: Acknowledgement[] = []
  const send = async (path: string, event: object, key: string, userId?: number) => {
    const answer = await client.command(path, event, { key, ...(userId === undefined ? {} : { userId }) })
    acknowledged.push(answer)
    options.onAcknowledged(acknowledged.length)
    return answer
  }

  const life = async (n: number) => {
    const key = (step: string) => `life-${n}-${step}`
    const existing = options.userIds[Math.floor(n / 2) % options.userIds.length]
    const userId =
      n % 2 === 0 || existing === undefined
        ? (
            await send(
              '/v1/actors/user',
              {
                type: 'user.registered',
                username: `streamer-${n}`,
                email: `streamer-${n}@example.org`,
                passwordHash: '$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA',
              },
              key('user'),
            )
          ).id
        : existing
    const session = await send(
      '/v1/actors/session',
      {
        type: 'session.created',
        userId,
        tokenHash: `hash-of-session-${n}`,
        deviceId: `device-${n}`,
        ipAddress: '192.0.2.7',
        expiresAt: new Date(Date.now() + 86_400_000).toISOString(),
      },
      key('session'),
      userId,
    )
    const stream = await send(
      '/v1/actors/stream',
      { type: 'stream.created', userId, name: `Stream ${n}`, streamKey: `key-of-stream-${n}`, isPublic: n % 3 !== 0 },
      key('stream'),
      userId,
    )
    const streamPath = `/v1/actors/stream/${stream.id}/commands`
    await send(
      streamPath,
      { type: 'stream.started', bitrateKbps: 6_000, resolution: '1920x1080', fps: 60, codec: 'h264' },
      key('start'),
      userId,
    )
    for (let viewer = 1; viewer <= 3; viewer++)
      await send(streamPath, { type: 'viewer.joined' }, key(`join-${viewer}`), userId)
    await send(streamPath, { type: 'viewer.left' }, key('leave'), userId)
    await send(
      streamPath,
      { type: 'stream.stats.updated', bitrateKbps: 5_500 + (n % 500), fps: 59 },
      key('stats'),
      userId,
    )
    await send(`/v1/actors/session/${session.id}/commands`, { type: 'session.touched' }, key('touch'), userId)
    await send(streamPath, { type: 'stream.stopped' }, key('stop'), userId)
    await send(
      `/v1/actors/session/${session.id}/commands`,
      { type: 'session.revoked', reason: 'done' },
      key('revoke'),
      userId,
    )
  }

  let next = 0
  const worker = async () => {
    while (next < options.streams) await life(next++)
  }
  await Promise.all(Array.from({ length: options.concurrency }, worker))
  return acknowledged
}

/** Commands one life sends: with a user of its own, and with one that was there already. */
export function expectedCommands(streams: number): number {
  return Math.ceil(streams / 2) * 12 + Math.floor(streams / 2) * 11
}
