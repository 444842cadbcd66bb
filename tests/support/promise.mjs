// What Goop2 promises in time; `promise.rs` beside this file says how such tests run.
import assert from 'node:assert/strict'
import { appendFileSync } from 'node:fs'

const slack = 10
const file = process.env.GOOP2_MEASURE

/** A figure that is at most `limit`. */
export function promised(what, seen, limit, unit = 'ms') {
  const [shown, most] = [seen, limit].map((figure) => `${figure.toFixed(1)} ${unit}`)
  note(what, shown, `at most ${most}`, seen <= limit)
  assert.ok(seen <= limit * slack, `${what}: ${shown}, more than ${slack} times the promised ${most}`)
}

/** A figure that is at least `least`, whatever its unit. */
export function promisedLeast(what, seen, least) {
  const shown = seen.toFixed(2)
  note(what, shown, `at least ${least}`, seen >= least)
  assert.ok(seen >= least / slack, `${what}: ${shown}, less than a tenth of the promised ${least}`)
}

function note(what, seen, promised, kept) {
  console.log(`${what}: ${seen} (${promised} promised)`)
  if (file) appendFileSync(file, `${JSON.stringify({ what, seen, promised, kept })}\n`)
}
