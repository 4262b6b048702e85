/** `npm run bench -- auth`: accounts, sessions and factors. */
import { measureAuthOverHttp } from './auth-http.ts'
import { measureSessions } from './auth-sessions.ts'
import type { Bench } from './bench.ts'

export const auth: Bench = async context => {
  const { server, quick, progress } = context
  const sessions = await measureSessions(server, { quick, progress })
  const { ours, peers, ratio } = await measureAuthOverHttp(context)
  return { ours: { sessions, http: ours }, peers, ratio }
}
