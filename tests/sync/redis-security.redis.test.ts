/** The Redis bus where Redis asks for TLS, a password or an account with rights. */
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { AppError } from '../../src/core/errors.ts'
import type { MonitoredBus } from '../../src/sync/monitored-bus.ts'
import { createRedisBus, type RedisBusOptions } from '../../src/sync/redis-bus.ts'
import { createManualClock } from '../support/manual-clock.ts'
import { createRecordingLog } from '../support/recording-log.ts'
import { eventually } from './eventually.ts'
import { frameKey } from './frame-key.ts'
import { logEvent } from './log-events.ts'
import { freePort, type PrivateRedis, startPrivateRedis } from './private-redis.ts'

const open: MonitoredBus[] = []
afterEach(async () => {
  for (const bus of open.splice(0)) await bus.stop()
})

function createBus(url: string, options: Partial<RedisBusOptions> = {}) {
  const log = createRecordingLog()
  const base = { node: randomUUID(), incarnation: 1, namespace: 'one', key: frameKey, clock: createManualClock(), log }
  const bus = createRedisBus({ url, ...base, ...options })
  open.push(bus)
  return { bus, log }
}

/** Two nodes that use these options hear each other. */
async function expectTalk(url: string, options: Partial<RedisBusOptions> = {}): Promise<void> {
  const namespace = randomUUID()
  const a = createBus(url, { ...options, namespace })
  const b = createBus(url, { ...options, namespace })
  const heard: number[] = []
  b.bus.onFrame(({ events }) => void heard.push(...events.map(event => event.position)))
  await a.bus.start()
  await b.bus.start()
  expect([a.bus.healthy, b.bus.healthy]).toEqual([true, true])
  a.bus.publish({ node: 'a', incarnation: 1, events: [logEvent(1)] })
  await eventually(() => expect(heard).toEqual([1]))
}

/** A node that uses these options runs without the bus, says why once, and keeps the secret. */
async function expectRefused(url: string, why: RegExp, options: Partial<RedisBusOptions> = {}): Promise<void> {
  const { bus, log } = createBus(url, options)
  await bus.start()
  expect(bus.healthy).toBe(false)
  const warnings = log.lines.filter(({ level }) => level === 'warn')
  expect(warnings).toHaveLength(1)
  expect(warnings[0]?.fields).toMatchObject({ reason: expect.stringMatching(why) })
  expect(JSON.stringify(log.lines)).not.toMatch(/s3cret|s3%40cret/)
}

describe('with a password and accounts', () => {
  let server: PrivateRedis
  let admin: Redis
  const at = (credentials: string, rest = '') => `redis://${credentials}127.0.0.1:${server.port}${rest}`

  beforeAll(async () => {
    server = await startPrivateRedis({ settings: ['--requirepass', 's3@cret:/#'] })
    admin = new Redis({ port: server.port, password: 's3@cret:/#' })
    const rights = ['resetchannels', '&rootstream:*', '-@all', '+publish', '+subscribe']
    await admin.acl('SETUSER', 'lean', 'on', '>lean-s3cret', ...rights)
    await admin.acl('SETUSER', 'deaf', 'on', '>deaf-s3cret', 'resetchannels', '-@all', '+publish', '+subscribe')
    await admin.acl('SETUSER', 'mute', 'on', '>mute-s3cret', ...rights, '-publish')
  })
  afterAll(async () => {
    admin.disconnect()
    await server.stop()
  })

  test('the password of the default user, percent-encoded', () => expectTalk(at(':s3%40cret%3A%2F%23@')))
  test('a user and a password', () => expectTalk(at('default:s3%40cret%3A%2F%23@')))
  test('a user and a password on another database', () => expectTalk(at('default:s3%40cret%3A%2F%23@', '/5')))
  test('an account that may only publish and subscribe on our channels', async () => {
    const warn = vi.spyOn(console, 'warn')
    await expectTalk(at('lean:lean-s3cret@', '/1'))
    expect(warn).not.toHaveBeenCalled()
    warn.mockRestore()
  })
  test('no password', () => expectRefused(at(''), /NOAUTH/))
  test('a wrong password', () => expectRefused(at(':s3cret@'), /WRONGPASS/))

  test('an account without the channels joins when it is given them', async () => {
    const clock = createManualClock()
    const { bus, log } = createBus(at('deaf:deaf-s3cret@'), { clock })
    let gaps = 0
    bus.onGap(() => void gaps++)
    await bus.start()
    expect(bus.healthy).toBe(false)
    await eventually(() => expect(log.lines.at(-1)?.fields).toMatchObject({ reason: expect.stringMatching(/NOPERM/) }))
    await admin.acl('SETUSER', 'deaf', '&rootstream:*')
    await eventually(() => {
      clock.advance(1_000)
      expect(bus.healthy).toBe(true)
    })
    expect(gaps).toBe(1)
  })

  test('an account that may not publish is not healthy, and is when it may', async () => {
    const clock = createManualClock()
    const { bus } = createBus(at('mute:mute-s3cret@'), { clock })
    await bus.start()
    expect(bus.healthy).toBe(false)
    bus.publish({ node: 'a', incarnation: 1, events: [logEvent(1)] })
    await eventually(() => expect(bus.stats().unsent).toBe(1))
    await admin.acl('SETUSER', 'mute', '+publish')
    clock.advance(1_000)
    await eventually(() => expect(bus.healthy).toBe(true))
    await admin.acl('SETUSER', 'mute', '-publish')
    clock.advance(1_000)
    await eventually(() => expect(bus.healthy).toBe(false))
  })
})

describe('behind sentinels with a password of their own', () => {
  let master: PrivateRedis
  let sentinel: PrivateRedis
  const at = (options: string) => `redis+sentinel://:s3cret@127.0.0.1:${sentinel.port}/main${options}`

  beforeAll(async () => {
    master = await startPrivateRedis({ settings: ['--requirepass', 's3cret'] })
    sentinel = await startPrivateRedis({
      sentinel: [
        `sentinel monitor main 127.0.0.1 ${master.port} 1`,
        'sentinel auth-pass main s3cret',
        'requirepass watch-s3cret',
      ],
    })
    const admin = new Redis({ port: sentinel.port, password: 'watch-s3cret' })
    await admin.call('ACL', 'SETUSER', 'asker', 'on', '>ask-s3cret', '-@all', '+sentinel|master')
    admin.disconnect()
  })
  afterAll(async () => {
    await sentinel.stop()
    await master.stop()
  })

  test('that password', () => expectTalk(at('?sentinelPassword=watch-s3cret')))
  test('an account that may only ask for the master', () =>
    expectTalk(at('?sentinelUser=asker&sentinelPassword=ask-s3cret')))
  test('none', () => expectRefused(at(''), /NOAUTH/))
  test('the one of the servers', () => expectRefused(at('?sentinelPassword=s3cret'), /WRONGPASS/))
})

describe('with TLS', () => {
  let dir: string
  let server: PrivateRedis
  const file = (name: string) => path.join(dir, name)
  const openssl = (...args: string[]) => promisify(execFile)('openssl', args, { cwd: dir })

  beforeAll(async () => {
    dir = await mkdtemp(path.join(tmpdir(), 'rootstream-tls-'))
    const key = ['-newkey', 'rsa:2048', '-nodes']
    for (const ca of ['ca', 'other-ca'])
      await openssl(
        'req',
        '-x509',
        ...key,
        '-days',
        '2',
        '-subj',
        `/CN=${ca}`,
        '-keyout',
        `${ca}.key`,
        '-out',
        `${ca}.crt`,
      )
    const names = ['-addext', 'subjectAltName=IP:127.0.0.1']
    const issuer = ['-CA', 'ca.crt', '-CAkey', 'ca.key']
    await openssl(
      'req',
      '-x509',
      ...key,
      ...issuer,
      ...names,
      '-days',
      '2',
      '-subj',
      '/CN=redis',
      '-keyout',
      'redis.key',
      '-out',
      'redis.crt',
    )
    const tls = { cert: file('redis.crt'), key: file('redis.key'), ca: file('ca.crt') }
    server = await startPrivateRedis({ tls, settings: ['--requirepass', 's3cret'] })
  })
  afterAll(async () => {
    await server.stop()
    await rm(dir, { recursive: true, force: true })
  })

  const at = (scheme: string, host = '127.0.0.1') => `${scheme}://:s3cret@${host}:${server.port}/2`

  test('the authority that signed its certificate is trusted', () => expectTalk(at('rediss'), { ca: file('ca.crt') }))
  test('another authority is not', () => expectRefused(at('rediss'), /certificate/, { ca: file('other-ca.crt') }))
  test('nor is it by the system’s', () => expectRefused(at('rediss'), /certificate/))
  test('nor is the certificate under another name', () =>
    expectRefused(at('rediss', 'localhost'), /altnames|match/i, { ca: file('ca.crt') }))
  test.each(['sentinel', 'cluster'])('nor is it of a %s, which ends no process', kind =>
    expectRefused(`${at(`rediss+${kind}`).replace('/2', kind === 'sentinel' ? '/main' : '')}`, /certificate/, {
      ca: file('other-ca.crt'),
    }),
  )
  test('a cluster over TLS', async () => {
    const tls = { cert: file('redis.crt'), key: file('redis.key'), ca: file('ca.crt') }
    const busPort = String(await freePort())
    const settings = [
      '--requirepass',
      's3cret',
      '--cluster-enabled',
      'yes',
      '--cluster-port',
      busPort,
      '--tls-cluster',
      'yes',
    ]
    const node = await startPrivateRedis({ tls, settings })
    const admin = new Redis({ port: node.port, password: 's3cret', tls: { rejectUnauthorized: false } })
    await admin.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
    await eventually(async () => expect(await admin.call('CLUSTER', 'INFO')).toContain('cluster_state:ok'))
    admin.disconnect()
    await expectTalk(`rediss+cluster://:s3cret@127.0.0.1:${node.port}`, { ca: file('ca.crt') })
    for (const bus of open.splice(0)) await bus.stop()
    await node.stop()
  })
  test('sentinels over TLS in front of plain servers, and the other way round', async () => {
    const tls = { cert: file('redis.crt'), key: file('redis.key'), ca: file('ca.crt') }
    const plain = await startPrivateRedis({ settings: ['--requirepass', 's3cret'] })
    const watch = (port: number) => [`sentinel monitor main 127.0.0.1 ${port} 1`, 'sentinel auth-pass main s3cret']
    const overTls = await startPrivateRedis({ tls, sentinel: watch(plain.port) })
    const overPlain = await startPrivateRedis({ sentinel: watch(server.port) })
    const url = (scheme: string, { port }: PrivateRedis) => `${scheme}+sentinel://:s3cret@127.0.0.1:${port}/main`
    const ca = { ca: file('ca.crt') }
    await expectTalk(`${url('redis', overTls)}?sentinelTls=true`, ca)
    await expectTalk(`${url('rediss', overPlain)}?sentinelTls=false`, ca)
    await expectRefused(url('rediss', overPlain), /./, ca)
    for (const bus of open.splice(0)) await bus.stop()
    for (const one of [overTls, overPlain, plain]) await one.stop()
  })
  test('plain TCP is not answered', () => expectRefused(at('redis'), /closed|reset|protocol/i))
  test('a file that is not there is named', () => {
    expect(() => createBus(at('rediss'), { ca: file('absent.crt') })).toThrow(
      expect.objectContaining({ code: 'setup_failed', message: expect.stringContaining('absent.crt') }),
    )
  })
})

test('a URL that is none is refused without its secret', () => {
  expect(() => createBus('redis://:s3cret@/1?x=2')).toThrow(AppError)
})
