/** The Redis bus in a cluster: sharded channels, of which each may be away for itself. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { slotOf } from '../../src/sync/cluster-slots.ts'
import { createRedisBus } from '../../src/sync/redis-bus.ts'
import { channelOf, frameChannels } from '../../src/sync/redis-link.ts'
import { systemClock } from '../../src/system-clock.ts'
import { createRecordingLog } from '../support/recording-log.ts'
import { describeBus } from './bus-conformance.ts'
import { eventually } from './eventually.ts'
import { frameKey } from './frame-key.ts'
import { startPrivateRedis } from './private-redis.ts'
import { createMembers, type Member, say } from './redis-members.ts'
import { type RedisCluster, startCluster } from './redis-sets.ts'

const MASTERS = 3

let cluster: RedisCluster
beforeAll(async () => {
  cluster = await startCluster(MASTERS)
})
afterAll(() => cluster.stop())

describeBus('the Redis bus in a cluster', async () => {
  const namespace = randomUUID()
  return {
    join: (node, incarnation, log) =>
      createRedisBus({ url: cluster.url, node, incarnation, namespace, key: frameKey, log, clock: systemClock }),
    close: async () => {},
  }
})

const { member, joined } = createMembers(() => cluster.url)

/** Which master serves the channel on which a node publishes. */
function shardOf(node: string, namespace: string): number {
  return Math.floor((slotOf(channelOf(node, frameChannels(namespace, 0))) * MASTERS) / 16_384)
}

/** One node that publishes through each master. */
async function oneAShard(namespace: string): Promise<Member[]> {
  const names = new Map<number, string>()
  for (let index = 0; names.size < MASTERS; index++) names.set(shardOf(`node-${index}`, namespace), `node-${index}`)
  const members: Member[] = []
  for (let shard = 0; shard < MASTERS; shard++)
    members.push(await joined({ namespace, node: names.get(shard) ?? '', clock: systemClock }))
  return members
}

test('the slots are those that Redis counts', async () => {
  const names = frameChannels(randomUUID(), 0)
  const counted = await Promise.all(names.map(name => cluster.admin(0).call('CLUSTER', 'KEYSLOT', name)))
  expect(names.map(slotOf)).toEqual(counted)
})

test('frames go through the shard of their channel alone, and reach every node', async () => {
  const namespace = randomUUID()
  const members = await oneAShard(namespace)
  members.forEach((one, shard) => {
    say(one, shard + 1)
  })
  await eventually(() =>
    expect(members.map(one => one.heard.toSorted())).toEqual([
      [2, 3],
      [1, 3],
      [1, 2],
    ]),
  )
  const known = await Promise.all(members.map((_, shard) => cluster.admin(shard).call('PUBSUB', 'SHARDCHANNELS')))
  const own = frameChannels(namespace, 0)
  const served = (known as string[][]).map(channels => channels.filter(name => own.includes(name)))
  expect(served.flat().toSorted()).toEqual(own.toSorted())
})

test('one shard is killed and has no replica: once the cluster gives it up, its nodes speak over the others', async () => {
  const members = await oneAShard(randomUUID())
  const [first, second, third] = members
  if (first === undefined || second === undefined || third === undefined) throw new Error('three')
  const health = () => members.map(one => one.bus.healthy)
  for (const one of members) one.gaps = 0
  await cluster.kill(1)
  await eventually(() => expect(health()).toEqual([false, false, false]))
  // Until it is given up it may be away for some only: nobody is sure to hear everybody.
  await eventually(() => expect(health()).toEqual([true, true, true]))
  expect(Math.min(...members.map(one => one.gaps))).toBeGreaterThan(0)
  const failed = expect.stringMatching(`127.0.0.1:${cluster.ports[1]} .* has failed`)
  for (const one of members) expect(one.bus.warnings()).toEqual([failed])
  members.forEach((one, shard) => {
    say(one, shard + 1)
  })
  await eventually(() =>
    expect(members.map(one => one.heard.toSorted())).toEqual([
      [2, 3],
      [1, 3],
      [1, 2],
    ]),
  )
  for (const one of members) one.gaps = 0
  await cluster.restart(1)
  await eventually(() => expect(members.map(one => one.bus.warnings())).toEqual([[], [], []]))
  await eventually(() => expect(health()).toEqual([true, true, true]))
  await eventually(() => expect(Math.min(...members.map(one => one.gaps))).toBeGreaterThan(0))
  say(second, 20)
  await eventually(() => expect([first.heard.at(-1), third.heard.at(-1)]).toEqual([20, 20]))
})

test('a shard that is not given up, for want of a majority, makes every node read the log', async () => {
  const two = await startCluster(2)
  const namespace = randomUUID()
  const clock = systemClock
  const a = await joined({ namespace, node: 'a', clock, url: two.url })
  const b = await joined({ namespace, node: 'b', clock, url: two.url })
  await two.kill(1)
  const silent = expect.stringMatching(`127.0.0.1:${two.ports[1]} .* does not answer`)
  await eventually(() => expect([a.bus.warnings(), b.bus.warnings()]).toEqual([[silent], [silent]]))
  await eventually(async () => expect(String(await two.admin(0).call('CLUSTER', 'NODES'))).toContain('fail?'))
  expect([a.bus.healthy, b.bus.healthy]).toEqual([false, false])
  await Promise.all([a.bus.stop(), b.bus.stop()])
  await two.stop()
})

test('a slot that moves to another node is followed', async () => {
  const namespace = randomUUID()
  const members = await oneAShard(namespace)
  const [from, , listens] = members
  if (from === undefined || listens === undefined) throw new Error('three')
  const node = await cluster.admin(1).call('CLUSTER', 'MYID')
  const moving = frameChannels(namespace, 0)
    .map(slotOf)
    .filter(slot => slot < Math.floor(16_384 / MASTERS))
  for (const one of members) one.gaps = 0
  for (const slot of moving)
    for (const shard of [1, 0, 2]) await cluster.admin(shard).call('CLUSTER', 'SETSLOT', slot, 'NODE', String(node))
  let position = 10
  await eventually(() => {
    say(from, position++)
    expect(listens.heard.at(-1)).toBeGreaterThan(10)
    expect(members.map(one => one.bus.healthy)).toEqual([true, true, true])
  })
  expect(listens.gaps).toBeGreaterThan(0)
})

test('a server that is no cluster is told, once', async () => {
  const alone = await startPrivateRedis()
  const log = createRecordingLog()
  const a = member({ namespace: randomUUID(), node: 'a', log, url: `redis+cluster://127.0.0.1:${alone.port}` })
  await a.bus.start()
  expect(a.bus.healthy).toBe(false)
  const warnings = log.lines.filter(({ level }) => level === 'warn')
  expect(warnings.map(({ fields }) => fields)).toMatchObject([{ reason: expect.stringMatching(/cluster support/) }])
  await alone.stop()
})
