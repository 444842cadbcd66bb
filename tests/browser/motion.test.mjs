// What moves on the pages that come with Goop2 comes to an end: drawn without a GPU, an animation without end keeps a processor
// busy as long as its page is open.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { launch, profile } from './lib/browser.mjs'
import { Mock } from './lib/mock.mjs'
import { open } from './lib/page.mjs'
import { Peer } from './lib/peer.mjs'
import { scenes, show } from './lib/scenes.mjs'
import { ids, starter } from './lib/starters.mjs'

/** Of the window, what shows that something goes on, or is open all day. */
const SHOWN = ['welcome', 'starting', 'gone', 'network', 'rendezvous-states', 'rendezvous-hosting', 'settings', 'log', 'site', 'site-adding', 'choosing']

let browser
before(async () => (browser = await launch()))
after(() => browser?.close())

/** What moves in a page for ever, now or later. */
const endless = (page) =>
  page.evaluate(() =>
    document
      .getAnimations()
      .filter((one) => !Number.isFinite(one.effect.getComputedTiming().endTime))
      .map((one) => one.animationName ?? one.transitionProperty)
  )

describe('sites', async () => {
  for (const [name, made] of [['the demo', { from: 'peers/demo' }], ['the neighbor of the demo', { from: 'peers/neighbour' }], ...(await Promise.all((await ids()).map(async (id) => [id, await starter(id)])))])
    test(name, async () => {
      const owner = await Peer.start('Owner', made)
      try {
        const { page, context } = await open(browser, await owner.site(owner), { reducedMotion: 'no-preference' })
        if (made.from === 'peers/demo') assert.notEqual(await page.locator('.waves path').first().evaluate((path) => getComputedStyle(path).animationName), 'none', 'the waves of the folder move')
        assert.deepEqual(await endless(page), [])
        await context.close()
      } finally {
        await owner.remove()
      }
    })
})

describe('the window', { concurrency: 2 }, () => {
  let mock
  before(async () => (mock = await Mock.start({ built: true })))
  after(() => mock?.stop())

  for (const scene of scenes.filter(([name]) => SHOWN.includes(name)))
    test(scene[0], async () => {
      const context = await profile(browser, { reducedMotion: 'no-preference' })
      assert.deepEqual(await endless(await show(context, mock, scene)), [])
      await context.close()
    })
})
