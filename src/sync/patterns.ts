/**
 * Event name patterns: `stream.started` matches itself, `stream.*` every name below `stream.` however deep
 * (`stream.started`, `stream.viewers.updated`, not `stream`), `*` every name. A star is a whole last segment.
 */
import { AppError } from '../core/errors.ts'
import type { Logger } from '../core/ports.ts'
import { callListener, type Listener } from './listeners.ts'

const PATTERN = /^(?:\*|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*(?:\.\*)?)$/i
const MAX_LENGTH = 200

/** Listeners filed under patterns; a name finds its own in steps that do not grow with their number. */
export interface Topics<T> {
  /** Throws AppError `invalid_input` on a malformed pattern. Returns the removal of this one subscription. */
  subscribe(pattern: string, listener: Listener<T>): () => void
  /** Calls the listeners whose pattern matches, in the order in which they subscribed. */
  emit(type: string, value: T): void
  /** Whether anybody would be called. */
  wants(type: string): boolean
}

interface Entry<T> {
  readonly order: number
  readonly listener: Listener<T>
}

interface Branch<T> {
  readonly children: Map<string, Branch<T>>
  /** Of patterns that end here. */
  readonly exact: Set<Entry<T>>
  /** Of patterns that go on with the star. */
  readonly below: Set<Entry<T>>
}

export function createTopics<T>({ log }: { readonly log: Logger }): Topics<T> {
  const root = createBranch<T>()
  let subscribed = 0
  return {
    subscribe(pattern, listener) {
      const segments = parsePattern(pattern)
      const star = segments.at(-1) === '*'
      const path = [root]
      for (const segment of star ? segments.slice(0, -1) : segments) path.push(grow(path.at(-1) ?? root, segment))
      const end = path.at(-1) ?? root
      const entries = star ? end.below : end.exact
      const entry = { order: subscribed++, listener }
      entries.add(entry)
      return () => {
        if (entries.delete(entry)) prune(path, segments)
      }
    },
    emit(type, value) {
      for (const { listener } of find(root, type)) callListener(listener, value, 'events', log)
    },
    wants: type => find(root, type).length > 0,
  }
}

/** Throws AppError `invalid_input` on a malformed pattern. */
export function matchPattern(pattern: string, type: string): boolean {
  parsePattern(pattern)
  if (pattern === '*') return true
  return pattern.endsWith('.*') ? type.startsWith(pattern.slice(0, -1)) : pattern === type
}

function parsePattern(pattern: string): readonly string[] {
  if (pattern.length <= MAX_LENGTH && PATTERN.test(pattern)) return pattern.split('.')
  throw new AppError(
    'invalid_input',
    'A pattern is an event name, a leading part of one followed by .*, or * alone: stream.started, stream.*, *.',
  )
}

function find<T>(root: Branch<T>, type: string): readonly Entry<T>[] {
  const found: Entry<T>[] = []
  let branch: Branch<T> | undefined = root
  for (const segment of type.split('.')) {
    for (const entry of branch.below) found.push(entry)
    branch = branch.children.get(segment)
    if (branch === undefined) break
  }
  for (const entry of branch?.exact ?? []) found.push(entry)
  return found.sort((a, b) => a.order - b.order)
}

function createBranch<T>(): Branch<T> {
  return { children: new Map(), exact: new Set(), below: new Set() }
}

function grow<T>(branch: Branch<T>, segment: string): Branch<T> {
  const child = branch.children.get(segment) ?? createBranch<T>()
  branch.children.set(segment, child)
  return child
}

// Removes branches that hold nothing any more, from the leaf upwards: subscriptions come and go for months.
function prune<T>(path: readonly Branch<T>[], segments: readonly string[]): void {
  for (let depth = path.length - 1; depth > 0; depth--) {
    const branch = path[depth]
    if (branch === undefined || branch.children.size + branch.exact.size + branch.below.size > 0) return
    path[depth - 1]?.children.delete(segments[depth - 1] ?? '')
  }
}
