/** Emmett's Postgres event store, as its documentation shows it. */

/** What the benchmarks use of it. It is installed beside them, not with the runtime, so its own types are not at hand. */
export interface EmmettStore {
  appendToStream(stream: string, events: readonly EmmettEvent[]): Promise<unknown>
  aggregateStream<State>(
    stream: string,
    options: { evolve(state: State, event: EmmettEvent): State; initialState(): State },
  ): Promise<{ readonly state: State; readonly currentStreamVersion: bigint }>
  readonly schema: { migrate(): Promise<unknown> }
  close(): Promise<void>
}

export interface EmmettEvent {
  readonly type: string
  readonly data: Readonly<Record<string, unknown>>
}

export async function openEmmett(url: string): Promise<EmmettStore> {
  const name = '@event-driven-io/emmett-postgresql'
  const { getPostgreSQLEventStore } = (await import(name)) as { getPostgreSQLEventStore(url: string): EmmettStore }
  const store = getPostgreSQLEventStore(url)
  await store.schema.migrate()
  return store
}
