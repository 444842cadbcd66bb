// Builds of the generators of the web, visited at a peer: what they are on any host, without a word about Goop2 in them.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { removeBuilds } from '../browser/lib/builds.mjs'
import { Visits } from '../browser/lib/visits.mjs'
import { eleventy, vite, vitepress } from './builds.mjs'

const builds = {
  Vite: { build: vite, pages: 3, deep: '/notes/2', heading: '/notes/2', link: 'One', leads: '/notes/1' },
  VitePress: { build: vitepress, pages: 3, deep: '/guide/start.html', heading: /Start/, link: 'deeper', leads: /Deep/, missing: /PAGE NOT FOUND/i },
  Eleventy: { build: eleventy, pages: 3, deep: '/posts/first/', heading: 'The first post', link: 'The second', leads: 'The second post', missing: /No such pond/ },
}

let visits

before(async () => {
  visits = await Visits.start()
})

after(async () => {
  await visits?.stop()
  await removeBuilds()
})

const shows = (tab, name) => tab.getByRole('heading', { name, level: 1 }).waitFor()

for (const [name, { build, pages, deep, heading, link, leads, missing }] of Object.entries(builds)) {
  describe(name, () => {
    let dir, peer

    before(async () => {
      dir = await build()
      peer = await visits.owner(name, dir)
    })

    test('every page is what it is behind a plain static server', async () => {
      const { expected, visited } = await visits.compared(dir, peer)
      assert.equal(expected.size, pages, [...expected.keys()].join(' '))
      assert.deepEqual(visited, expected)
    })

    test('a deep page opens by link, leads on and back, and is reloaded', async () => {
      const { tab, ...first } = await visits.opened(visits.known(peer, deep))
      assert.deepEqual(first, { status: 200, path: deep })
      await shows(tab, heading)
      await tab.getByRole('link', { name: link, exact: true }).click()
      await shows(tab, leads)
      await tab.goBack()
      await shows(tab, heading)
      assert.equal((await tab.reload()).status(), 200)
      await shows(tab, heading)
      assert.equal(await tab.evaluate(() => location.pathname), deep)
      await tab.close()
    })

    test('in the window', async () => {
      await visits.window.go(`goop://${peer.id}${deep}`)
      await shows(visits.window.site, heading)
    })

    test('a script that is not there is none', async () => {
      const { tab } = await visits.opened(visits.known(peer))
      assert.equal(await tab.evaluate(async () => (await fetch('/assets/none.js')).status), 404)
      await tab.close()
    })

    if (missing) {
      test('its own page says what is not there', async () => {
        const { tab, status } = await visits.opened(visits.known(peer, '/none/'))
        assert.equal(status, 404)
        await tab.getByText(missing).first().waitFor()
        await tab.close()
      })
    }
  })
}

test('the search of VitePress finds a word', async () => {
  const peer = visits.owners.find(({ label }) => label === 'VitePress')
  const { tab } = await visits.opened(visits.known(peer))
  await tab.getByRole('button', { name: 'Search' }).click()
  await tab.getByRole('searchbox').fill('xylophone')
  await tab.getByRole('option').first().click()
  await shows(tab, /Deep/)
  await tab.close()
})
