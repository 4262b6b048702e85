/** What two nodes on one Postgres promise each other while it is away, whatever the bus between them. */
import { rm } from 'node:fs/promises'
import pg from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { RuntimeNode } from '../../src/app.ts'
import type { NodeOptions } from '../../src/node-options.ts'
import { accepted, history, openSession, outageStage, registerUser, tentative } from '../journal/outage-stage.ts'
import { eventually } from '../sync/eventually.ts'

export function describeTwoNodes(bus: string, link: () => NodeOptions): void {
  describe(`nodes that have ${bus} and not Postgres`, { timeout: 60_000 }, () => {
    async function scene(names: readonly string[] = ['a', 'b']) {
      const stage = await outageStage({ onTestFinished })
      const nodes = await Promise.all(names.map(name => stage.start(name, link())))
      const [a, b] = nodes
      if (a === undefined || b === undefined) throw new Error('no node')
      for (const { node } of nodes)
        await eventually(async () => expect((await node.health()).components.bus.status).toBe('ok'))
      const ada = await registerUser(a.node, 'ada')
      const session = await openSession(a.node, ada, 'token')
      for (const { node } of nodes) {
        await node.actor('user', ada).state()
        await node.actor('session', session).state()
      }
      return { ...stage, nodes, a, b, ada, session }
    }
    const rename = (node: RuntimeNode, id: number, displayName: string) =>
      node.actor('user', id).send({ type: 'user.updated', displayName })
    const nameOn = async (node: RuntimeNode, id: number) =>
      ((await node.actor('user', id).state()).context as { row: { display_name: string } }).row.display_name
    const shown = (node: RuntimeNode) => node.actors.tentatives()

    test('a session revoked on the one that is cut off is revoked on the other at once, and stays so', async () => {
      const { a, b, session } = await scene()
      a.link.cut()
      tentative(await a.node.actor('session', session).send({ type: 'session.revoked' }))
      await eventually(() => expect(shown(b.node)).toMatchObject({ others: 1 }))
      for (const within of [{}, { maxStaleMs: 60_000 }])
        expect(await b.node.actor('session', session).state(within)).toMatchObject({
          state: 'revoked',
          version: 1,
          tentative: true,
          pending: { own: 0, others: 1 },
        })
      // What is in the log is still to be had for itself.
      expect(await b.node.actor('session', session).state({ logged: true })).toMatchObject({ state: 'active' })
      expect((await b.node.getSnapshot('session', session)).state.value).toBe('active')
      a.link.mend()
      await a.healed()
      await eventually(async () => {
        const view = await b.node.actor('session', session).state({ maxStaleMs: 60_000 })
        expect(view.state).toBe('revoked')
        expect(view).not.toHaveProperty('tentative')
      })
      expect(shown(b.node)).toMatchObject({ others: 0, waiting: 0 })
      expect((await history(b.node, 'session', session)).map(({ type }) => type)).toEqual([
        'session.created',
        'session.revoked',
      ])
    })

    test('so it is where that one lost its disk before, and its times are ahead by what was leased', async () => {
      const { a, b, session, url, start } = await scene()
      await a.close()
      await rm(a.home, { recursive: true })
      const administrator = new pg.Client({ connectionString: url })
      await administrator.connect()
      // As a crash leaves it: how far its times had come is not known.
      await administrator.query('update incarnations set clock_ceiling = (select max(clock_ceiling) from incarnations)')
      await administrator.end()
      const again = await start('a', link())
      await again.node.actor('session', session).state()
      for (const { node } of [again, b])
        await eventually(async () => expect((await node.health()).components.bus.status).toBe('ok'))
      again.link.cut()
      tentative(await again.node.actor('session', session).send({ type: 'session.revoked' }))
      await eventually(async () =>
        expect(await b.node.actor('session', session).state()).toMatchObject({ state: 'revoked', tentative: true }),
      )
      expect(shown(b.node)).toMatchObject({ others: 1, refused: 0 })
    })

    test('both see what the other changed, what knew of it is no conflict, and the log ends as they saw it', async () => {
      const { a, b, ada, session } = await scene()
      a.link.cut()
      b.link.cut()
      tentative(await rename(a.node, ada, 'of a'))
      await eventually(async () => expect(await nameOn(b.node, ada)).toBe('of a'))
      tentative(await rename(b.node, ada, 'of b, who saw a'))
      await eventually(async () => expect(await nameOn(a.node, ada)).toBe('of b, who saw a'))
      tentative(await b.node.actor('session', session).send({ type: 'session.closed' }))
      await eventually(async () =>
        expect(await a.node.actor('session', session).state()).toMatchObject({ state: 'closed', tentative: true }),
      )
      expect(await a.node.actor('user', ada).state()).toMatchObject({ pending: { own: 1, others: 1 } })
      // Who knew comes to the log first.
      b.link.mend()
      await b.healed()
      a.link.mend()
      await a.healed()
      for (const { node } of [a, b])
        await eventually(async () => {
          expect(await nameOn(node, ada)).toBe('of b, who saw a')
          expect(await node.actor('user', ada).state()).not.toHaveProperty('tentative')
        })
      const events = await history(a.node, 'user', ada)
      const ofB = events.find(({ data }) => data.displayName === 'of b, who saw a')
      expect(ofB?.origin?.extra).toEqual([[`a#${a.node.incarnation}`, 1]])
      // The name that was replaced left nothing to write, and there is nothing to settle.
      const records = await a.node.log.listActors('conflict', 0, 10)
      expect(records.map(({ state }) => state)).toEqual(['settled'])
      for (const { node } of [a, b]) {
        await node.projections.caughtUp(await node.log.head())
        expect(await node.projections.find('users', 'display_name', 'of b, who saw a')).toEqual([ada])
      }
    })

    test('a user whose role was taken away on the one that is cut off signs in on the other, by the limit of what is left', async () => {
      const { a, b, ada } = await scene()
      accepted(await b.node.actor('user', ada).send({ type: 'user.roles.changed', roles: ['viewer', 'admin'] }))
      await a.node.actor('user', ada).state()
      a.link.cut()
      tentative(await a.node.actor('user', ada).send({ type: 'user.roles.changed', roles: ['viewer'] }))
      await eventually(() => expect(shown(b.node)).toMatchObject({ others: 1 }))
      expect(await b.node.accounts.createSession(ada)).toMatchObject({ ok: true })
      const [login] = (await history(b.node, 'user', ada)).slice(-1)
      const { most } = b.node.accounts.settings.sessionLimits.viewer
      expect(login).toMatchObject({ type: 'user.login.recorded', data: { opened: { limit: most } } })
      a.link.mend()
      await a.healed()
    })

    test('one that joins late, and one that missed messages, get what they lack from its writer', async () => {
      const { a, b, ada, start } = await scene()
      a.link.cut()
      for (let n = 1; n <= 20; n++) tentative(await rename(a.node, ada, `name ${n}`))
      const late = await start('late', link())
      await late.node.actor('user', ada).state()
      for (const { node } of [b, late])
        await eventually(async () => {
          expect(shown(node)).toMatchObject({ others: 20, waiting: 0 })
          expect(await nameOn(node, ada)).toBe('name 20')
        })
      a.link.mend()
      await a.healed()
      for (const { node } of [b, late])
        await eventually(async () => {
          expect(await node.actor('user', ada).state()).not.toHaveProperty('tentative')
          expect(shown(node)).toMatchObject({ others: 0 })
        })
    })

    test('what was online meanwhile and what was tentative end the same on all nodes', async () => {
      const { a, b, ada } = await scene()
      a.link.cut()
      tentative(await rename(a.node, ada, 'tentative'))
      await eventually(async () => expect(await nameOn(b.node, ada)).toBe('tentative'))
      accepted(await b.node.actor('user', ada).send({ type: 'user.updated', avatarUrl: 'https://example.org/b' }))
      const seen = await b.node.actor('user', ada).state()
      expect(seen).toMatchObject({ version: 2, tentative: true })
      a.link.mend()
      await a.healed()
      await eventually(async () => {
        const [onA, onB] = await Promise.all([a, b].map(({ node }) => node.actor('user', ada).state()))
        expect(onA).toEqual(onB)
        expect(onB).toMatchObject({
          version: 3,
          context: { row: { display_name: 'tentative', avatar_url: 'https://example.org/b' } },
        })
      })
    })
  })
}
