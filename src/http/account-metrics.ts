/** Figures of accounts for Prometheus. */
import type { Accounts } from '../accounts/accounts.ts'
import { type Figures, setCounter, setGauge } from './figures.ts'

export function createAccountMetrics(accounts: Accounts, { counter, gauge }: Figures): { ask(): void } {
  const opened = counter(
    'sessions_opened_total',
    'Sessions that this node opened; open are these less the ended ones, of all nodes.',
  )
  const ended = counter('sessions_ended_total', 'Sessions and logins in waiting that this node ended.', 'how')
  const refusals = counter('account_refusals_total', 'What was asked of accounts and refused.', 'reason')
  const attempts = counter('factor_attempts_total', 'Attempts to show a second factor.', 'method', 'outcome')
  const hashesRefused = counter(
    'password_hashes_refused_total',
    'Passwords that were not looked at, for too many waited.',
  )
  const running = gauge('password_hashes_running', 'Password hashes that are computed.')
  const waiting = gauge('password_hashes_waiting', 'Password hashes that wait.')

  return {
    ask() {
      const { sessionsOpened, sessionsEnded, refusals: refused, factorAttempts, hashing } = accounts.stats()
      setCounter(opened, sessionsOpened)
      for (const [how, count] of Object.entries(sessionsEnded)) setCounter(ended, count, { how })
      for (const [reason, count] of Object.entries(refused)) setCounter(refusals, count, { reason })
      for (const [method, outcomes] of Object.entries(factorAttempts))
        for (const [outcome, count] of Object.entries(outcomes)) setCounter(attempts, count, { method, outcome })
      if (hashing === undefined) return
      setGauge(running, hashing.running)
      setGauge(waiting, hashing.waiting)
      setCounter(hashesRefused, hashing.refused)
    },
  }
}
