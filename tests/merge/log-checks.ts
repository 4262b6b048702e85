/** What has to hold of a simulated log after every step, said without the merge rules: from who knew of whom, and when. */
import { expect } from 'vitest'
import type { SessionContext } from '../../src/machines/session/machine.ts'
import type { StreamContext } from '../../src/machines/stream/machine.ts'
import type { UserContext } from '../../src/machines/user/machine.ts'
import type { LogWorld, Written } from './log-world.ts'

export function checkLog(world: LogWorld): void {
  timesGrow(world)
  versionsAreGapFree(world)
  fieldsAreOfTheLastWriter(world)
  revokedStaysRevoked(world)
  rolesTakenStayTaken(world)
  everyViewerCounts(world)
}

/** After a quiet end: everyone is connected, has drained and has read all. */
export function checkQuiet(world: LogWorld): void {
  checkLog(world)
  const accepted = world.written.filter(({ dot }) => !world.lost.has(dot)).map(({ dot }) => dot)
  expect(world.processed.map(({ dot }) => dot).sort(), 'accepted events end in the log, each once').toEqual(
    accepted.sort(),
  )
  for (const actor of ['user', 'session', 'stream'] as const)
    for (const node of world.nodes)
      expect(world.view(node, actor), `${node.name} shows the log`).toEqual(world.head(actor))
}

/** Hybrid time is monotonic: along each node's life, through all its incarnations, and along what caused what. */
function timesGrow({ written }: LogWorld): void {
  const times = new Map(written.toReversed().map(event => [event.dot, event.time]))
  const last = new Map<string, string>()
  const wrong: string[] = []
  for (const { dot, time, past } of written) {
    const name = dot.slice(0, 1)
    if (time <= (last.get(name) ?? '')) wrong.push(`${dot} is not later than what ${name} wrote before`)
    last.set(name, time)
    for (const cause of past)
      if (time <= (times.get(cause) ?? '')) wrong.push(`${dot} is not later than its cause ${cause}`)
  }
  expect(wrong).toEqual([])
}

function versionsAreGapFree({ logs, processed }: LogWorld): void {
  for (const log of Object.values(logs))
    expect(log.map(({ version }) => version)).toEqual(log.map((_, index) => index + 1))
  const dots = processed.map(({ dot }) => dot)
  expect(new Set(dots).size, 'a dot ends once').toBe(dots.length)
  const counts = new Map<string, number>()
  for (const dot of dots) {
    const [source = '', n] = dot.split(':')
    expect(Number(n), `${dot} follows the one before`).toBe((counts.get(source) ?? 0) + 1)
    counts.set(source, Number(n))
  }
}

function fieldsAreOfTheLastWriter(world: LogWorld): void {
  const { row } = world.head('user').context as unknown as UserContext
  const columns = { displayName: 'display_name', avatarUrl: 'avatar_url' } as const
  for (const [field, column] of Object.entries(columns) as [keyof typeof columns, 'display_name' | 'avatar_url'][]) {
    const writes = world.processed.filter(({ type, data }) => type === 'user.updated' && data[field] !== undefined)
    const winner = writes.reduce<Written | undefined>(
      (last, write) => (last === undefined || write.time > last.time ? write : last),
      undefined,
    )
    expect(row?.[column] ?? null, field).toBe(winner?.data[field] ?? null)
    const known = writes.some(({ past }) => winner !== undefined && past.has(winner.dot))
    expect(known, `a causally later write of ${field} wins`).toBe(false)
  }
}

function revokedStaysRevoked(world: LogWorld): void {
  const state = world.head('session')
  const ended = (type: string) => world.processed.some(event => event.type === type)
  const statuses = ['revoked', 'closed', 'expired'] as const
  const expected = statuses.find(status => ended(`session.${status}`)) ?? 'active'
  expect(state.value, 'status').toBe(expected)
  expect((state.context as unknown as SessionContext).row?.is_active).toBe(expected === 'active')
}

/** A role is held where some grant of it knew of every revocation of it. The first grant is the registration. */
function rolesTakenStayTaken(world: LogWorld): void {
  const { roles } = world.head('user').context as unknown as UserContext
  const changes = world.processed.filter(({ type }) => type === 'user.roles.changed')
  for (const role of ['viewer', 'operator', 'admin']) {
    const has = (data: unknown) => Array.isArray(data) && data.includes(role)
    const had = (event: Written) => has(event.observed?.['roles'])
    const grants = changes.filter(event => has(event.data['roles']) && !had(event))
    const removals = changes.filter(event => !has(event.data['roles']) && had(event))
    const held =
      grants.some(grant => removals.every(({ dot }) => grant.past.has(dot))) ||
      (role === 'viewer' && removals.length === 0)
    expect(roles.includes(role as (typeof roles)[number]), `holds ${role}`).toBe(held)
  }
}

function everyViewerCounts(world: LogWorld): void {
  const difference = ({ type, data, observed }: Written) => {
    if (type === 'viewer.joined') return 1
    if (type === 'viewer.left') return -1
    return type === 'stream.viewers.updated' ? Number(data['viewers']) - Number(observed?.['viewers']) : 0
  }
  const expected = world.processed.reduce((sum, event) => sum + difference(event), 0)
  expect((world.head('stream').context as unknown as StreamContext).row?.viewer_count, 'viewers').toBe(expected)
}
