/** The client's side of the model: what it has sent, what it knows, and the exchange that brings both up to date. */
import { type Answer, type Request, settled } from './expectations.ts'
import type { Installation } from './installation.ts'
import { EMPTY, type World } from './world.ts'

/** A client gives up on answers such as "retry" after so many tries. */
const MAX_TRIES = 20

export class Client {
  world: World = EMPTY
  readonly sent: Request[] = []
  #since: string | undefined

  nextCommandId(): string {
    return `command-${this.sent.length + 1}`
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

  /** Sends all at once to nodes of which one is killed meanwhile, then again whatever had no answer. */
  async exchangeAndKill(real: Installation, node: number, pieces: number, requests: readonly Request[]): Promise<void> {
    const answers = new Map<Request, Answer[]>()
    const sending = requests.map((request, index) => real.send(node + index, request))
    real.killAfter(node, pieces)
    const given = await Promise.all(sending)
    await real.replaceKilled(node)
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
