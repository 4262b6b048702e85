/** Runs one side of the bench of accounts in a process of its own: argv is its module and its options. */
export interface AuthSideOptions {
  readonly database: string
  readonly redis: string
  readonly sessionsInRedis: boolean
}

/** What a side module's `open` answers. */
export interface AuthSide {
  readonly url: string
  register(name: string, password: string): Promise<void>
  close(): Promise<void>
}

export type AuthQuestion =
  | { readonly ask: 'register'; readonly names: readonly string[]; readonly password: string }
  | { readonly ask: 'cpu' }
  | { readonly ask: 'close' }

const [module = '', options = '{}'] = process.argv.slice(2)
if (process.send !== undefined) {
  const { open } = (await import(`./${module}`)) as { open(options: AuthSideOptions): Promise<AuthSide> }
  const side = await open(JSON.parse(options) as AuthSideOptions)
  // Without its parent nobody asks any more.
  process.once('disconnect', () => process.exit())
  process.on('message', async (question: AuthQuestion) => {
    if (question.ask === 'register')
      await Promise.all(question.names.map(name => side.register(name, question.password)))
    if (question.ask === 'close') {
      await side.close()
      process.exit()
      return
    }
    const { user, system } = process.cpuUsage()
    process.send?.({ cpuMicros: user + system })
  })
  process.send({ url: side.url })
}
