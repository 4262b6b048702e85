/** Yjs, as far as the benchmarks use it. It is installed beside them, not with the runtime, so its own types are not at hand. */

export interface Yjs {
  readonly Doc: new () => YjsDocument
  applyUpdate(document: YjsDocument, update: Uint8Array): void
  mergeUpdates(updates: readonly Uint8Array[]): Uint8Array
}

export interface YjsDocument {
  clientID: number
  getMap(name: string): { set(key: string, value: number): void; get(key: string): number | undefined }
  on(event: 'update', listener: (update: Uint8Array) => void): void
}

export async function openYjs(): Promise<Yjs> {
  const name = 'yjs'
  return (await import(name)) as Yjs
}
