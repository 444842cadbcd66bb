// What Goop2 promises in time; `promise.rs` beside this file says how such tests run.
import assert from 'node:assert/strict'
import { appendFileSync } from 'node:fs'

const slack = 10
const file = process.env.GOOP2_MEASURE

/** A figure that is at most `limit`. */
export function promised(what, seen, limit, unit = 'ms') {
  const [shown, most] = [seen, limit].map((figure) => `${figure.toFixed(1)} ${unit}`)
  console.log(`${what}: ${shown} (at most ${most} promised)`)
  if (file) appendFileSync(file, `${JSON.stringify({ what, seen: shown, promised: `at most ${most}`, kept: seen <= limit })}\n`)
  assert.ok(seen <= limit * slack, `${what}: ${shown}, more than ${slack} times the promised ${most}`)
}
