/** `npm run bench -- auth`: accounts, sessions and factors. */
import { measureAuthOverHttp } from './auth-http.ts'
import type { Bench } from './bench.ts'

export const auth: Bench = async context => {
  const { ours, peers, ratio } = await measureAuthOverHttp(context)
  return { ours: { http: ours }, peers, ratio }
}
