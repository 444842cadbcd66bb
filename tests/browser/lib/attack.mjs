// Attacks, and the proof that they failed.

import assert from 'node:assert/strict'

/**
 * Runs `way` in the document towards `url`, and returns once the browser has said that the document's policy forbids it.
 * The word comes only when nothing was sent.
 */
export async function forbidden(document, way, directive, url) {
  const target = new URL(url)
  const said = document.evaluate(
    ([host]) =>
      new Promise((resolve) => {
        const hear = ({ effectiveDirective, blockedURI }) => {
          if (!URL.canParse(blockedURI) || new URL(blockedURI).host !== host) return
          removeEventListener('securitypolicyviolation', hear)
          resolve(effectiveDirective)
        }
        addEventListener('securitypolicyviolation', hear)
      }),
    [target.host],
  )
  await document.evaluate(way, url)
  assert.equal(await said, directive)
}
