// How long a page's own thread works for each of its frames: not the time that passes, in which the machine does other things too.

import { readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The work in milliseconds for each frame while `act` moves something on the page, which is the one with the most frames. */
export async function frames(browser, page, act) {
  const file = join(tmpdir(), `goop2-trace-${process.pid}.json`)
  await browser.startTracing(page, { path: file, categories: ['toplevel', 'devtools.timeline'] })
  await act()
  await browser.stopTracing()
  const { traceEvents } = JSON.parse(await readFile(file, 'utf8'))
  await rm(file)
  // Of several pages, the one that was scrolled.
  const asked = (thread) => traceEvents.filter((event) => event.name === 'FireAnimationFrame' && event.pid === thread.pid && event.tid === thread.tid).length
  const threads = traceEvents.filter((event) => event.name === 'thread_name' && event.args.name === 'CrRendererMain')
  const main = threads.sort((a, b) => asked(b) - asked(a))[0]
  const own = traceEvents.filter((event) => event.pid === main.pid && event.tid === main.tid)
  // One begins where the one before was asked what it shows.
  const begins = own.filter((event) => event.name === 'FireAnimationFrame').map((event) => event.ts)
  const work = begins.slice(1).map(() => 0)
  for (const task of own) {
    if (!task.name.endsWith('ThreadControllerImpl::RunTask') || task.tdur === undefined) continue
    const frame = begins.findLastIndex((begin) => begin <= task.ts)
    if (frame >= 0 && frame < work.length) work[frame] += task.tdur / 1000
  }
  return work
}
