/** Sources: one start of one node, as dots and version vectors name it, `node#incarnation`. */

export function sourceOf({ node, incarnation }: { readonly node: string; readonly incarnation: number }): string {
  return `${node}#${incarnation}`
}

export function nodeOf(source: string): string {
  return source.slice(0, Math.max(source.lastIndexOf('#'), 0))
}

export function incarnationOf(source: string): number {
  return Number(source.slice(source.lastIndexOf('#') + 1))
}
