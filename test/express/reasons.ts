/** The tests of Express whose results differ behind a gateway, with the reasons. */

export interface Reason {
  readonly why: string
  /** Of the titles of tests. */
  readonly tests: RegExp
}

export const REASONS: readonly Reason[] = [
  {
    why: 'TRACE is refused: it echoes fields that other hops have added (RFC 9110 §9.3.8).',
    tests: /\bTRACE\b/,
  },
  {
    why: 'Host: http://example.com is answered 400 by the gateway, not by the app (RFC 9112 §3.2).',
    tests: /when accepting (html should (escape the url|not render evil)|text should encode the url)/,
  },
  {
    why: 'A server must not switch protocols unasked (RFC 9110 §7.8): 101 is 502.',
    tests: /should set the response status code to 101$/,
  },
  {
    why: 'The responses to two requests, HEAD and GET, have two X-Request-Ids.',
    tests: /^HEAD should output the same headers as GET requests$/,
  },
  {
    why: 'The last transfer coding must be chunked, or the connection must end (RFC 9112 §6.1): another coding is 502.',
    tests: /if Transfer-Encoding header is equal to (compress|deflate|gzip)$/,
  },
  {
    why: 'The news that a client has left takes a round trip through Redis; a small file is complete before.',
    tests: /^res \.sendFile\(path, fn\) should invoke the callback when client aborts$/,
  },
]
