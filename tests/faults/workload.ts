/** A few dozen commands at once that use all of a command's path: creations, claims, timers, effects, snapshots, refusals, keys sent twice. */
import type { Commands } from './commands.ts'

export interface WorkloadOptions {
  readonly households?: number
  /** Viewers who join the stream of the first household, all at once; past a hundred it gets a snapshot. */
  readonly viewers?: number
  /** Tells the keys of one workload from those of another on the same log. */
  readonly name?: string
}

/** Long enough for the session to be made, short enough to see it expire. */
const SHORT_SESSION_MS = 3_000
const LONG_SESSION_MS = 86_400_000

/** What the outcomes say is for the invariants; refusals and repeats are part of the load. */
export async function runWorkload(commands: Commands, options: WorkloadOptions = {}): Promise<void> {
  const { households = 8, viewers = 110, name = 'load' } = options
  await Promise.all(
    Array.from({ length: households }, (_, n) =>
      household(commands, `${name}-${n}`, n === 0 ? viewers : 8, n % 2 === 0),
    ),
  )
}

/** @param stops whether its stream ends, or stays on air */
async function household({ send }: Commands, name: string, viewers: number, stops: boolean): Promise<void> {
  const registration = {
    type: 'user.registered',
    username: name,
    email: `${name}@example.org`,
    passwordHash: '$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA',
  }
  const user = await send('/v1/actors/user', registration, `${name}:user`)
  if (!user.taken) throw new Error(`${name} was not registered: ${user.code}`)
  const session = (key: string, ms: number) =>
    send(
      '/v1/actors/session',
      {
        type: 'session.created',
        userId: user.id,
        tokenHash: `${name}:${key}`,
        expiresAt: new Date(Date.now() + ms).toISOString(),
      },
      `${name}:${key}`,
    )
  const [stream, long] = await Promise.all([
    send(
      '/v1/actors/stream',
      { type: 'stream.created', userId: user.id, name, streamKey: `${name}:key` },
      `${name}:stream`,
    ),
    session('long', LONG_SESSION_MS),
    session('short', SHORT_SESSION_MS),
    // The name is taken, and nobody has this id.
    send('/v1/actors/user', registration, `${name}:namesake`),
    send(
      '/v1/actors/session',
      {
        type: 'session.created',
        userId: 2_000_000_000,
        tokenHash: `${name}:nobody`,
        expiresAt: '2099-01-01T00:00:00Z',
      },
      `${name}:nobody`,
    ),
  ])
  if (!stream.taken || !long.taken) throw new Error(`${name} has no stream or no session`)
  const toStream = `/v1/actors/stream/${stream.id}/commands`
  await send(toStream, { type: 'stream.started', bitrateKbps: 6_000 }, `${name}:start`)
  await Promise.all([
    ...Array.from({ length: viewers }, (_, n) => send(toStream, { type: 'viewer.joined' }, `${name}:join-${n}`)),
    // One key, sent twice at once: one event.
    send(toStream, { type: 'stream.renamed', name: `${name} again` }, `${name}:rename`),
    send(toStream, { type: 'stream.renamed', name: `${name} again` }, `${name}:rename`),
    send(toStream, { type: 'stream.stats.updated', fps: 50 }, `${name}:late`, { 'if-match': '"999999"' }),
    send(`/v1/actors/session/${long.id}/commands`, { type: 'session.revoked', reason: 'done' }, `${name}:revoke`),
  ])
  if (stops) await send(toStream, { type: 'stream.stopped' }, `${name}:stop`)
}
