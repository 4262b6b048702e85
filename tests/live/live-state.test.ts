/** Live figures over several nodes: sums, repairs, and what the log is told of them. */
import { describe, expect, test } from 'vitest'
import { type ActorId, actorRef } from '../../src/core/ids.ts'
import type { LiveChange } from '../../src/live/changes.ts'
import { type LiveStageNode, openLiveStage, settle } from './live-stage.ts'

const stage = openLiveStage()

async function openSession(on: LiveStageNode) {
  const user = await on.actors.create('user', {
    ...{ type: 'user.registered', username: 'ada', email: 'ada@example.org', passwordHash: 'x' },
  })
  if (!user.ok) throw new Error(user.reason)
  const expiresAt = new Date(stage.clock.now() + 86_400_000).toISOString()
  const created = await on.actors.create('session', {
    ...{ type: 'session.created', userId: user.actor.id, tokenHash: 'x', expiresAt },
  })
  if (!created.ok) throw new Error(created.reason)
  return { session: created.actor, live: on.live.handle(created.actor) }
}

describe('figures', () => {
  test('each node says its own, and every node reads the sum', async () => {
    const nodes = [await stage.startNode('a'), await stage.startNode('b'), await stage.startNode('c')]
    const [a] = nodes
    if (a === undefined) throw new Error('no node')
    const id = await stage.liveStream(a)
    nodes.forEach((node, index) => {
      node.stream(id).set('viewers', 10 * (index + 1))
      node.stream(id).add('bytesSent', 100)
      node.stream(id).add('bytesSent', 100)
    })
    await stage.pass(20, 5)
    for (const node of nodes) expect(node.stream(id).read()).toEqual({ viewers: 60, peakViewers: 60, bytesSent: 600 })
  })

  test('the viewers of a node that was killed count no longer, its bytes do; of one that stopped at once', async () => {
    const [a, b, c] = [await stage.startNode('a'), await stage.startNode('b'), await stage.startNode('c')]
    const id = await stage.liveStream(a)
    for (const node of [a, b, c]) {
      node.stream(id).set('viewers', 5)
      node.stream(id).add('bytesSent', 7)
    }
    await stage.pass(1_000)
    await a.kill()
    await stage.pass(2_000)
    expect(b.stream(id).read()).toMatchObject({ viewers: 15 })
    await stage.pass(20_000)
    for (const node of [b, c]) expect(node.stream(id).read()).toEqual({ viewers: 10, peakViewers: 15, bytesSent: 21 })
    const told = stage.history(id).filter(({ type }) => type === 'stream.viewers.updated')
    expect(told.at(-1)?.data).toEqual({ viewers: 10, peakViewers: 15 })
    await b.stop()
    await settle()
    expect(c.stream(id).read()).toMatchObject({ viewers: 5 })
  })

  test('what was lost on the way is made good by the next digest, and a node that joins is told everything', async () => {
    const [a, b] = [await stage.startNode('a'), await stage.startNode('b')]
    const id = await stage.liveStream(a)
    b.cut(true)
    a.stream(id).set('viewers', 3)
    a.stream(id).set('codec', 'av1')
    b.stream(id).set('viewers', 4)
    await stage.pass(3_000)
    expect(a.stream(id).read()).toMatchObject({ viewers: 3 })
    b.cut(false)
    await stage.pass(40_000)
    for (const node of [a, b]) expect(node.stream(id).read()).toMatchObject({ viewers: 7, codec: 'av1' })
    const late = await stage.startNode('late')
    await stage.pass(5_000)
    expect(late.stream(id).read()).toEqual(a.stream(id).read())
  })

  test.each([
    ['stood still for an hour, or whose clock was set forward,', 3_600_000],
    ['whose clock was set back', -3_600_000],
  ])('a node %s counts the others, and is counted', async (_what, ms) => {
    const [a, b] = [await stage.startNode('a'), await stage.startNode('b')]
    const id = await stage.liveStream(a)
    a.stream(id).set('viewers', 100)
    b.stream(id).set('viewers', 20)
    await stage.pass(6_000)
    const told = () => stage.history(id).flatMap(({ data }) => ('viewers' in data ? [data['viewers']] : []))
    const before = told().length
    for (const node of [b, a]) {
      node.setClock(ms)
      await stage.pass(30_000)
      for (const one of [a, b]) expect(one.stream(id).read()).toMatchObject({ viewers: 120 })
    }
    expect(told().slice(before)).toEqual([])
    a.stream(id).set('viewers', 101)
    await stage.pass(6_000)
    expect(told().slice(before)).toEqual([121])
  })

  test('go on from what the log has where the only node is started anew, and are counted once when others join', async () => {
    const isAlone = async () => true
    const before = await stage.startNode('a', { isAlone })
    const id = await stage.liveStream(before)
    before.stream(id).set('viewers', 10)
    before.stream(id).add('bytesSent', 1_000)
    await stage.pass(12_000)
    await before.kill()
    const after = await stage.startNode('a', { isAlone })
    after.stream(id).set('viewers', 3)
    after.stream(id).add('bytesSent', 10)
    await stage.pass(12_000)
    const values = { viewers: 3, peakViewers: 10, bytesSent: 1_010 }
    expect(after.stream(id).read()).toEqual(values)
    const told = stage.history(id).filter(({ type }) => type === 'stream.stats.updated')
    expect(told.map(({ data }) => data)).toEqual([{ bytesSent: 1_000 }, { bytesSent: 1_010 }])
    // They hear of it by the others, and not by the log.
    const joined = await stage.startNode('b', { isAlone })
    joined.stream(id).add('bytesSent', 1)
    await stage.pass(40_000)
    expect(joined.stream(id).read()).toEqual({ ...values, bytesSent: 1_011 })
    for (const node of [after, joined]) await node.kill()
    // There may be a node that knows who counted.
    const unsure = await stage.startNode('c', { isAlone: async () => false })
    unsure.stream(id).add('bytesSent', 1)
    await stage.pass(1_000)
    expect(unsure.stream(id).read()).toEqual({ bytesSent: 1 })
  })

  test('a new time on air starts with nothing, and writes of the time before do not reach it', async () => {
    const [a, b] = [await stage.startNode('a'), await stage.startNode('b')]
    const id = await stage.liveStream(a)
    const stream = a.actors.actor(actorRef('stream', id))
    a.stream(id).set('viewers', 3)
    await stage.pass(100, 10)
    b.cut(true)
    b.stream(id).set('viewers', 9)
    await stream.send({ type: 'stream.stopped' })
    await stage.pass(100, 10)
    expect(a.stream(id).read()).toEqual({})
    a.stream(id).set('viewers', 2)
    expect(await a.stream(id).opened()).toBe(false)
    await stream.send({ type: 'stream.started' })
    await stage.pass(100, 10)
    a.stream(id).set('viewers', 1)
    b.cut(false)
    await stage.pass(40_000)
    for (const node of [a, b]) expect(node.stream(id).read()).toEqual({ viewers: 1, peakViewers: 1 })
  })

  test('listeners hear what changed, once for each window', async () => {
    const [a, b] = [await stage.startNode('a'), await stage.startNode('b')]
    const id = await stage.liveStream(a)
    await a.stream(id).opened()
    const heard: LiveChange[] = []
    const leave = b.live.onChange('stream.*', change => heard.push(change))
    for (let viewers = 1; viewers <= 50; viewers++) a.stream(id).set('viewers', viewers)
    await stage.pass(20, 5)
    expect(heard).toEqual([
      { type: 'stream', id, field: 'viewers', value: 50 },
      { type: 'stream', id, field: 'peakViewers', value: 50 },
    ])
    leave()
    a.stream(id).set('viewers', 1)
    await stage.pass(20, 5)
    expect(heard).toHaveLength(2)
  })

  test('what is told while the log is away is counted when it is back', async () => {
    const a = await stage.startNode('a')
    const id = await stage.liveStream(a)
    a.blind(true)
    await expect(a.stream(id).opened()).rejects.toMatchObject({ code: 'log_unavailable' })
    for (let part = 0; part < 500; part++) {
      a.stream(id).add('bytesSent', 2)
      a.stream(id).set('viewers', part)
    }
    a.stream(id).add('viewers', 1)
    await stage.pass(3_000)
    expect(a.stream(id).read()).toEqual({})
    a.blind(false)
    await stage.pass(2_000)
    expect(a.stream(id).read()).toEqual({ bytesSent: 1_000, viewers: 500, peakViewers: 500 })
  })

  test('what is said on the bus is taken within bounds only', async () => {
    const a = await stage.startNode('a')
    const id = await stage.liveStream(a)
    a.stream(id).set('viewers', 1)
    a.stream(id).set('fps', 30)
    await stage.pass(20, 5)
    const row = stage.history(id).find(({ type }) => type === 'stream.started')
    const hour = (stage.clock.now() + 3_600_000) * 1_000
    const delta = (...entries: unknown[]) => ({
      ...{ kind: 'delta', writers: ['evil#99'], deltas: [['stream', id, row?.at, entries]] },
    })
    const before = a.live.stats()
    await stage.say('evil', delta(['fps', 0, hour, 1], ['viewers', 0, 1, -5], ['viewers', 0, 1, 0.5]))
    await stage.say('evil', delta(['unheard', 0, 1, 1], ['codec', 0, 1, 5], ['viewers', 0, 1, 2 ** 31]))
    expect(a.live.stats()).toMatchObject({ refused: before.refused + 6, malformed: 0, applied: before.applied })
    for (const payload of [
      {},
      { kind: 'reset' },
      { kind: 'delta', writers: [], deltas: [['stream', id, 'p', [['fps', 0, 1, 1]]]] },
    ])
      await stage.say('evil', payload)
    expect(a.live.stats()).toMatchObject({ malformed: 3 })
    await stage.say('evil', {
      kind: 'delta',
      writers: ['evil#99'],
      deltas: [['stream', id, 'another time', [['fps', 0, 1, 1]]]],
    })
    expect(a.stream(id).read()).toEqual({ viewers: 1, peakViewers: 1, fps: 30 })
    a.stream(id).set('fps', 60)
    expect(a.stream(id).read()).toMatchObject({ fps: 60 })
    // The same form with figures that fit is taken: it was not the form that was refused.
    await stage.say('evil', delta(['viewers', 0, 1, 4]))
    expect(a.stream(id).read()).toMatchObject({ viewers: 5 })
  })

  test('what is no figure is refused, and a flood of actors is bounded', async () => {
    const a = await stage.startNode('a', { maxActors: 2 })
    const id = await stage.liveStream(a)
    const write = (field: string, value: number | string) => () => a.stream(id).set(field, value)
    for (const wrong of [
      write('unheard', 1),
      write('viewers', -1),
      write('viewers', 1.5),
      write('codec', 'x'.repeat(51)),
    ])
      expect(wrong).toThrow(expect.objectContaining({ code: 'invalid_input' }))
    expect(() => a.stream(id).add('fps', 1)).toThrow(expect.objectContaining({ code: 'invalid_input' }))
    expect(() => a.stream(id).add('bytesSent', -1)).toThrow(expect.objectContaining({ code: 'invalid_input' }))
    expect(() => a.live.handle(actorRef('user', 1))).toThrow(expect.objectContaining({ code: 'unknown_type' }))
    a.stream(id).set('viewers', 1)
    a.stream(id + 1).set('viewers', 1)
    expect(() => a.stream(id + 2).set('viewers', 1)).toThrow(expect.objectContaining({ code: 'overloaded' }))
    await settle()
  })
})

describe('the log', () => {
  test('holds at most one event an interval, however often sixteen nodes write', async () => {
    const nodes = await Promise.all(Array.from({ length: 16 }, (_, n) => stage.startNode(`n${n}`)))
    const [first] = nodes
    if (first === undefined) throw new Error('no node')
    const id = await stage.liveStream(first)
    const seconds = 20
    for (let frame = 0; frame < seconds * 60; frame++) {
      for (const node of nodes) {
        node.stream(id).set('viewers', frame % 50)
        node.stream(id).add('bytesSent', 1_000)
      }
      stage.clock.advance(1_000 / 60)
      await new Promise(resolve => setImmediate(resolve))
    }
    await settle()
    const told = stage.history(id).filter(({ type }) => /updated$/.test(type))
    expect(told.length).toBeGreaterThanOrEqual(seconds / 5 - 2)
    expect(told.length).toBeLessThanOrEqual(seconds / 5 + 1)
    const times = told.map(({ at }) => Date.parse(at))
    for (const [index, at] of times.entries())
      if (index > 0) expect(at - (times[index - 1] ?? 0)).toBeGreaterThanOrEqual(5_000)
    expect(new Set(told.map(({ type }) => type))).toEqual(new Set(['stream.viewers.updated', 'stream.stats.updated']))
    expect(nodes.reduce((sum, { live }) => sum + live.stats().flushes, 0)).toBe(told.length)
  })

  test('has the last figures before a stop, sent to whichever node', async () => {
    const [a, b] = [await stage.startNode('a'), await stage.startNode('b')]
    const id = await stage.liveStream(a)
    a.stream(id).set('viewers', 30)
    a.stream(id).add('bytesSent', 1_000)
    await stage.pass(20, 5)
    a.stream(id).set('viewers', 12)
    b.stream(id).add('bytesSent', 500)
    await stage.pass(20, 5)
    const stopped = await b.actors.actor(actorRef('stream', id)).send({ type: 'stream.stopped' })
    expect(stopped.ok).toBe(true)
    await b.actors.effectsIdle()
    const told = stage
      .history(id)
      .slice(2)
      .map(({ type, data }) => ({ type, data }))
    expect(told.filter(({ type }) => type !== 'stream.broadcast.opened')).toEqual([
      { type: 'stream.viewers.updated', data: { viewers: 12, peakViewers: 30 } },
      { type: 'stream.stats.updated', data: { bytesSent: 1_500 } },
      { type: 'stream.stopped', data: {} },
    ])
  })

  test('is told by another node where the one in charge cannot', async () => {
    const [a, b] = [await stage.startNode('a'), await stage.startNode('b')]
    const id = await stage.liveStream(a)
    a.stream(id).set('viewers', 3)
    await stage.pass(6_000)
    // It lives and writes, but what it sends to the log never arrives.
    await a.actors.stop()
    a.stream(id).set('viewers', 8)
    await stage.pass(20_000)
    expect(b.live.stats().flushes).toBe(1)
    expect(stage.history(id).at(-1)).toMatchObject({ type: 'stream.viewers.updated', data: { viewers: 8 } })
  })

  test('is told the newest when it is back, and no samples for the journal while it is away', async () => {
    let isAway = true
    const a = await stage.startNode('a', { isLogAway: () => isAway })
    const id = await stage.liveStream(a)
    for (let second = 0; second < 60; second++) {
      a.stream(id).set('viewers', second)
      await stage.pass(1_000)
    }
    const told = () => stage.history(id).flatMap(({ data }) => ('viewers' in data ? [data['viewers']] : []))
    expect(told()).toEqual([])
    isAway = false
    await stage.pass(6_000)
    expect(told()).toEqual([59])
    isAway = true
    a.stream(id).set('viewers', 60)
    await a.stop()
    expect(told()).toEqual([59, 60])
  })

  test('is told what is left when a node stops', async () => {
    const a = await stage.startNode('a')
    const id = await stage.liveStream(a)
    a.stream(id).set('viewers', 1)
    await stage.pass(6_000)
    a.stream(id).set('viewers', 2)
    a.stream(id).set('fps', 60)
    await stage.pass(20, 5)
    await a.stop()
    expect(
      stage
        .history(id)
        .slice(-2)
        .map(({ data }) => data),
    ).toEqual([{ fps: 60 }, { viewers: 2, peakViewers: 2 }])
  })

  test('learns when a session was last seen from a node that hears nobody too, but no sums', async () => {
    const [a, b] = [await stage.startNode('a'), await stage.startNode('b')]
    const { session, live } = await openSession(a)
    const stream = await stage.liveStream(a)
    b.cut(true)
    const used = b.live.handle(session)
    used.set('lastSeen', stage.clock.now())
    live.set('lastSeen', stage.clock.now() - 1_000)
    a.cut(true)
    for (let minute = 0; minute < 10; minute++) {
      await stage.pass(60_000, 1_000)
      used.set('lastSeen', stage.clock.now())
      b.stream(stream).set('viewers', minute)
    }
    await b.stop()
    const last = stage.history(session.id, 'session').at(-1)
    expect(last).toMatchObject({ type: 'session.touched', data: { seenAt: new Date(stage.clock.now()).toISOString() } })
    expect(stage.history(session.id, 'session').length).toBeGreaterThan(8)
    expect(stage.history(stream).map(({ type }) => type)).not.toContain('stream.viewers.updated')
  })

  test('stands for sessions that are open and not in use: they take nobody’s place, and come back with their next use', async () => {
    const nodes = [await stage.startNode('a', { maxActors: 1 }), await stage.startNode('b', { maxActors: 1 })]
    const [a, b] = nodes as [LiveStageNode, LiveStageNode]
    const { session, live } = await openSession(a)
    const stream = await stage.liveStream(a)
    live.set('lastSeen', stage.clock.now())
    await stage.pass(2_000)
    expect(b.live.handle(session).read()).toEqual(live.read())
    expect(() => a.stream(stream).set('viewers', 1)).toThrow(expect.objectContaining({ code: 'overloaded' }))
    await stage.pass(5 * 60_000, 1_000)
    expect(nodes.map(node => node.live.stats().actors)).toEqual([0, 0])
    expect(stage.history(session.id, 'session').filter(({ type }) => type === 'session.touched')).toHaveLength(1)
    a.stream(stream).set('viewers', 1)
    await stage.pass(1_000)
    expect(b.stream(stream).read()).toMatchObject({ viewers: 1 })
    await a.actors.actor({ type: 'stream', id: stream as ActorId }).send({ type: 'stream.stopped' })
    await stage.pass(6 * 60_000, 1_000)
    live.set('lastSeen', stage.clock.now())
    await stage.pass(1_000)
    expect(b.live.handle(session).read()).toEqual({ lastSeen: live.read()['lastSeen'] })
  })

  test('learns when a session was last seen once a minute, and no time that has not come', async () => {
    const a = await stage.startNode('a')
    const { session, live } = await openSession(a)
    for (let second = 0; second < 180; second++) {
      live.set('lastSeen', stage.clock.now())
      await stage.pass(1_000, 1_000)
    }
    const touched = stage.history(session.id, 'session').filter(({ type }) => type === 'session.touched')
    expect(touched).toHaveLength(3)
    expect(() => live.set('lastSeen', stage.clock.now() + 3_600_000)).toThrow(
      expect.objectContaining({ code: 'invalid_input' }),
    )
    const last = Number(live.read()['lastSeen'])
    live.set('lastSeen', last - 5_000)
    expect(live.read()).toEqual({ lastSeen: last })
    await a.actors.actor(session).send({ type: 'session.revoked' })
    await settle()
    expect(live.read()).toEqual({})
    expect(await live.opened()).toBe(false)
  })
})
