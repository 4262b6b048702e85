/** The client's side of the model: what it has sent, what it knows, and the exchange that brings both up to date. */
import type { Clock } from '../../src/core/ports.ts'
import type { Cut } from './cuttable-link.ts'
import { type Draft, toRequest } from './drafts.ts'
import { forms, KNOWN_FOR_MS } from './erasure.ts'
import { type Answer, expected, foreseen, type Request, settled, spentOn } from './expectations.ts'
import type { Installation } from './installation.ts'
import { EMPTY, idsOf, type World } from './world.ts'

/** A client gives up on answers such as "retry" after so many tries. */
const MAX_TRIES = 20
/** Actors of a type, beyond which more would only dilute what happens to each. */
const CROWD = 3

export class Client {
  world: World = EMPTY
  readonly sent: Request[] = []
  /** Steps that were taken, to bound a run. */
  steps = 0
  hasRested = true
  readonly #clock: Pick<Clock, 'now'>
  #since: string | undefined

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock
  }

  /** What it sent that may be read as erased by now. */
  get erased(): readonly Request[] {
    const now = new Date(this.#clock.now()).toISOString()
    return this.sent.filter(request => {
      const step = spentOn(this.world, request)
      return step !== undefined && forms(this.world, step, now, KNOWN_FOR_MS).some(({ erased }) => erased)
    })
  }

  /** Each on the world that the ones before would lead to. */
  requests(drafts: readonly Draft[]): readonly Request[] {
    let world = this.world
    return drafts.map((draft, index) => {
      const commandId = draft.nameless ? undefined : `command-${this.sent.length + index + 1}`
      const request = toRequest(world, this.#clock.now(), commandId, draft)
      world = foreseen(world, request, new Date(this.#clock.now()).toISOString())
      return request
    })
  }

  /** Whether the first of them would be taken, and is not one actor too many. */
  isPromising(drafts: readonly Draft[]): boolean {
    const [first] = this.requests(drafts)
    if (first === undefined) return true
    if (first.id === undefined && idsOf(this.world, first.type).length >= CROWD) return false
    return expected(this.world, first, new Date(this.#clock.now()).toISOString()) === 'taken'
  }

  /** Sends all at once, over the nodes in turn, and holds the answers and the log against the model. */
  async exchange(real: Installation, node: number, requests: readonly Request[]): Promise<void> {
    const answers = new Map<Request, Answer[]>()
    const sent = requests.map(async (request, index) => {
      const answer = await real.send(node + index, request)
      if (answer === undefined) throw new Error('a node was gone that nobody had killed')
      note(answers, request, answer)
    })
    await Promise.all(sent)
    await this.settle(real, answers)
  }

  /** Sends all at once, while a node is killed or cut off, then again whatever had no answer. */
  async exchangeAndCut(real: Installation, node: number, cut: Cut, requests: readonly Request[]): Promise<void> {
    const answers = new Map<Request, Answer[]>()
    real.cutLater(node, cut)
    const given = await Promise.all(requests.map((request, index) => real.send(node + index, request)))
    // Also effects are cut off in the middle.
    await real.idleOrGone(node)
    await real.cutNow(node, cut)
    for (const [index, request] of requests.entries())
      note(answers, request, await this.#insist(real, node + index, request, given[index]))
    await this.settle(real, answers)
  }

  async #insist(real: Installation, node: number, request: Request, first: Answer | undefined): Promise<Answer> {
    let answer = first
    for (let tries = 0; answer === undefined || isInDoubt(answer); tries++) {
      if (tries === MAX_TRIES) throw new Error(`never answered: ${JSON.stringify({ request, answer })}`)
      answer = await real.send(node + tries, request)
    }
    return answer
  }

  /** Takes in what happened since the last time. */
  async settle(real: Installation, answers: ReadonlyMap<Request, readonly Answer[]> = new Map()): Promise<void> {
    await real.quiet()
    const events = await real.observer.readAll(this.world.position, 10_000)
    const until = real.now
    this.world = settled(this.world, { answers, events, since: this.#since ?? until, until })
    this.#since = until
  }
}

function note(answers: Map<Request, Answer[]>, request: Request, answer: Answer): void {
  answers.set(request, [...(answers.get(request) ?? []), answer])
}

/** Or not taken for a reason that passes. */
function isInDoubt(answer: Answer): boolean {
  return 'error' in answer && ['log_unavailable', 'shutting_down', 'conflict'].includes(answer.error)
}
