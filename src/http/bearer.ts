/** The token of an `Authorization` header (RFC 6750). */

/** Undefined for any other header; the name of a scheme is the same in any letter case (RFC 9110, 11.1). */
export function bearerTokenOf(authorization: string | undefined): string | undefined {
  return /^Bearer +([\x21-\x7e]{1,512})$/i.exec(authorization ?? '')?.[1]
}
