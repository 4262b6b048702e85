/** Figures of accounts for Prometheus. */
import { Counter, Gauge, type Registry } from 'prom-client'
import type { Accounts } from '../accounts/accounts.ts'

export function createAccountMetrics(accounts: Accounts, registers: Registry[]): { ask(): void } {
  const counter = (name: string, help: string, ...labelNames: string[]) =>
    new Counter({ name: `rootstream_${name}`, help, labelNames, registers })
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
  const gauge = (name: string, help: string) => new Gauge({ name: `rootstream_${name}`, help, registers })
  const running = gauge('password_hashes_running', 'Password hashes that are computed.')
  const waiting = gauge('password_hashes_waiting', 'Password hashes that wait.')

  const set = (shown: Counter, value: number, labels: Record<string, string> = {}) => {
    shown.remove(labels)
    shown.inc(labels, value)
  }
  return {
    ask() {
      const { sessionsOpened, sessionsEnded, refusals: refused, factorAttempts, hashing } = accounts.stats()
      set(opened, sessionsOpened)
      for (const [how, count] of Object.entries(sessionsEnded)) set(ended, count, { how })
      for (const [reason, count] of Object.entries(refused)) set(refusals, count, { reason })
      for (const [method, outcomes] of Object.entries(factorAttempts))
        for (const [outcome, count] of Object.entries(outcomes)) set(attempts, count, { method, outcome })
      if (hashing === undefined) return
      running.set(hashing.running)
      waiting.set(hashing.waiting)
      set(hashesRefused, hashing.refused)
    },
  }
}
