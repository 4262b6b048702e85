/** Automerge, as far as the benchmarks use it. It is installed beside them, not with the runtime, so its own types are not at hand. */

export interface Automerge {
  init(actor: string): AutomergeDocument
  change(document: AutomergeDocument, work: (map: Record<string, number>) => void): AutomergeDocument
  /** What was changed last, as it travels. */
  getLastLocalChange(document: AutomergeDocument): Uint8Array | undefined
  applyChanges(document: AutomergeDocument, changes: readonly Uint8Array[]): readonly [AutomergeDocument]
}

export type AutomergeDocument = Readonly<Record<string, number>>

export async function openAutomerge(): Promise<Automerge> {
  const name = '@automerge/automerge'
  return (await import(name)) as Automerge
}
