// axe finds nothing on any page, in any state, no script fails, and in the smallest window no field lies on another.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { after, before, describe, test } from 'node:test'
import { launch, profile } from './lib/browser.mjs'
import { Mock } from './lib/mock.mjs'
import { scenes, show, sizes } from './lib/scenes.mjs'

/** Sites are their owners' business, and of the built mock there are none. */
const OF_SITES = ['visit', 'menu', 'blocked', 'history', 'twice-connection']
/** Colours are all that is different in the dark, and `ui/tests/contrast.test.ts` knows every one of them. */
const IN_THE_DARK = ['welcome', 'offline', 'about', 'settings', 'settings-refused', 'log']

let browser, mock, axe
before(async () => {
  axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
  ;[browser, mock] = await Promise.all([launch(), Mock.start({ built: true })])
})
after(async () => {
  await browser?.close()
  await mock?.stop()
})

for (const colorScheme of ['light', 'dark']) {
  describe(`in the ${colorScheme}`, { concurrency: 2 }, () => {
    for (const scene of scenes) {
      const [name] = scene
      if (OF_SITES.includes(name) || (colorScheme === 'dark' && !IN_THE_DARK.includes(name))) continue
      test(name, async () => {
        const context = await profile(browser, { colorScheme, reducedMotion: 'reduce' })
        const thrown = []
        context.on('weberror', (error) => thrown.push(String(error.error())))
        const page = await show(context, mock, scene)
        await page.evaluate(axe)
        const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }))
        const found = violations.flatMap(({ id, help, nodes }) => nodes.map((node) => `${id}: ${help}: ${node.html.slice(0, 200)} ${node.failureSummary}`))
        assert.deepEqual(found, [])
        await page.setViewportSize(sizes['760×520'])
        assert.deepEqual(await page.evaluate(overlaps), [])
        assert.deepEqual(thrown, [])
        await context.close()
      })
    }
  })
}

/** Pairs of fields that lie on each other, in the dialog that is open or else on the page. */
function overlaps() {
  const dialogs = document.querySelectorAll('dialog[open]')
  const seen = [...(dialogs[dialogs.length - 1] ?? document.querySelector('main')).querySelectorAll('input, select, textarea')]
    .map((field) => ({ field, box: field.getBoundingClientRect() }))
    .filter(({ box }) => box.width > 0)
  return seen.flatMap(({ field, box }, at) =>
    seen
      .slice(at + 1)
      .filter(({ box: other }) => box.left < other.right && other.left < box.right && box.top < other.bottom && other.top < box.bottom)
      .map(({ field: other }) => `${field.outerHTML} lies on ${other.outerHTML}`),
  )
}
