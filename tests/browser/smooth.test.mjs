// The window keeps up with a network larger than any: 5,000 peers that change five times a second. Measured is the time that the
// page's own thread works, not the time that passes: what else the machine does meanwhile is no fault of the page.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { promised } from '../support/promise.mjs'
import { launch, profile, Window } from './lib/browser.mjs'
import { frames } from './lib/frames.mjs'
import { Mock } from './lib/mock.mjs'

/** "No frame over 50 ms." */
const FRAME_MS = 50
/** "An idle window costs no CPU": what a blinking caret and a clock may. */
const IDLE_SHARE = 0.005
const WATCHED_MS = 6000

let browser, mock
before(async () => {
  ;[browser, mock] = await Promise.all([launch(), Mock.start({ built: true })])
})
after(async () => {
  await browser?.close()
  await mock?.stop()
})

async function open(scenario) {
  const context = await profile(browser)
  const window = new Window(await context.newPage())
  await window.page.goto(mock.at(scenario))
  await window.page.getByRole('navigation', { name: 'Peers' }).waitFor()
  return window
}

test('the list keeps up while 5,000 peers change and it is scrolled', async (t) => {
  const { page } = await open('crowd')
  const rows = await page.locator('[data-peer]').count()
  assert.ok(rows < 60, `${rows} rows exist`)
  await steady(t, page, 'the longest frame while 5,000 peers are scrolled')
})

test('and while they are searched', async (t) => {
  const { page, search } = await open('crowd')
  await search.fill('an')
  await steady(t, page, 'the longest frame while 5,000 peers are searched')
})

async function steady(t, page, what) {
  const frames = await watch(page)
  await page.context().close()
  const longest = Math.max(...frames)
  t.diagnostic(`${frames.length} frames, the longest ${longest.toFixed(1)} ms, half of them below ${frames.sort((a, b) => a - b)[frames.length >> 1].toFixed(1)} ms`)
  assert.ok(frames.length > 10, 'something was measured')
  promised(what, longest, FRAME_MS)
}

/** Scrolls, and says how long the page's own thread worked for each frame meanwhile. */
const watch = (page) =>
  frames(browser, page, () =>
    page.evaluate(async (ms) => {
      const list = document.querySelector('nav[aria-label="Peers"]')
      const end = performance.now() + ms
      while (performance.now() < end) {
        list.scrollTop = (list.scrollTop + 173) % (list.scrollHeight - list.clientHeight)
        await new Promise(requestAnimationFrame)
      }
    }, WATCHED_MS),
  )

test('an idle window costs no CPU', async (t) => {
  const { page } = await open('still')
  const session = await page.context().newCDPSession(page)
  await session.send('Performance.enable', { timeDomain: 'threadTicks' })
  const busy = async () => (await session.send('Performance.getMetrics')).metrics.find(({ name }) => name === 'TaskDuration').value
  // Pictures, fonts and what they move.
  await page.waitForTimeout(1000)
  const start = await busy()
  await page.waitForTimeout(WATCHED_MS)
  const share = (await busy()) - start
  t.diagnostic(`${(share * 1000).toFixed(1)} ms of work in ${WATCHED_MS} ms`)
  promised('an idle window, of one processor', (share / WATCHED_MS) * 100_000, IDLE_SHARE * 100, '%')
})
