/** `npm run bench -- auth`: accounts and sessions. */
import { measureSessions } from './auth-sessions.ts'
import type { Bench } from './bench.ts'

export const auth: Bench = async ({ server, quick, progress }) => ({
  ours: { sessions: await measureSessions(server, { quick, progress }) },
  peers: {},
  ratio: {},
})
