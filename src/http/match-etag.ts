/** If-None-Match (RFC 9110): a list of tags, compared weakly, or a star. */

/** @param etag without the mark of a weak one */
export function matchesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  return header.split(',').some(tag => ['*', etag, `W/${etag}`].includes(tag.trim()))
}
