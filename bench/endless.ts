/** Budgets of attempts with which nobody ever waits: what is measured is not to be refused. */
import { ATTEMPT_KINDS, type AttemptBudget, type AttemptKind } from '../src/accounts/attempts.ts'

const ENDLESS: AttemptBudget = {
  free: 1_000_000_000,
  within: 3_600,
  firstWait: 1,
  longestWait: 1,
  most: 1_000_000_000,
  remembered: 3_600,
}

export const ENDLESS_BUDGETS = Object.fromEntries(ATTEMPT_KINDS.map(kind => [kind, ENDLESS])) as Record<
  AttemptKind,
  AttemptBudget
>
