// Sites that real generators built, and an application of one page: at another peer they are what they are on any host.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { app, hugo, mkdocs, removeBuilds } from './lib/builds.mjs'
import { crawl } from './lib/crawl.mjs'
import { Visits } from './lib/visits.mjs'

let visits

before(async () => {
  visits = await Visits.start()
})

after(async () => {
  await visits?.stop()
  await removeBuilds()
})

const builds = {
  Hugo: { build: hugo, pages: 6, deep: '/posts/second/', heading: 'The second post', link: 'Before', leads: 'The first post', atRoot: true },
  MkDocs: { build: mkdocs, pages: 4, deep: '/guide/start/', heading: 'Start', link: 'deeper', leads: 'Deep', atRoot: false },
}

for (const [name, { build, pages, deep, heading, link, leads, atRoot }] of Object.entries(builds)) {
  describe(name, () => {
    let dir, peer, visited

    before(async () => {
      dir = await build()
      peer = await visits.owner(name, dir)
    })

    test('every page is what it is behind a plain static server', async () => {
      const { expected, ...compared } = await visits.compared(dir, peer)
      visited = compared.visited
      assert.equal(expected.size, pages, [...expected.keys()].join(' '))
      for (const [path, { status, pictures }] of expected) {
        assert.equal(status, 200, path)
        for (const [url, width] of pictures) assert.ok(width > 0, `${path}: ${url}`)
      }
      assert.deepEqual(visited, expected)
    })

    test('its owner sees the same', async () => {
      assert.deepEqual(await crawl(visits.context, `${peer.url}p/${peer.id}/`), visited)
    })

    test('a deep page opens by link, and again when it is reloaded', async () => {
      const path = atRoot ? deep : `/p/${peer.id}${deep}`
      const { tab, ...first } = await visits.opened(visits.known(peer, deep))
      assert.deepEqual(first, { status: 200, path })
      const again = await tab.reload()
      assert.equal(again.status(), 200)
      await tab.getByRole('heading', { name: heading }).waitFor()
      assert.equal(await tab.evaluate(() => location.pathname), path)
      await tab.close()
    })

    test('a folder without its slash is that folder', async () => {
      const { tab, status, path } = await visits.opened(visits.known(peer, `${deep.slice(0, -1)}?a=b`))
      assert.equal(status, 200)
      assert.ok(path.endsWith(deep), path)
      assert.equal(new URL(tab.url()).search, '?a=b')
      await tab.close()
    })

    test('in the window', async () => {
      await visits.window.go(`goop://${peer.id}${deep}`)
      await visits.window.site.getByRole('heading', { name: heading }).waitFor()
      await visits.window.reload.click()
      await visits.window.site.getByRole('heading', { name: heading }).waitFor()
      await visits.window.site.getByRole('link', { name: link }).click()
      await visits.window.site.getByRole('heading', { name: leads }).waitFor()
      await visits.window.back.click()
      await visits.window.site.getByRole('heading', { name: heading }).waitFor()
    })

    test('its own page says what is not there', async () => {
      for (const path of ['/none', '/none/none.html']) {
        const { tab, status } = await visits.opened(visits.known(peer, path))
        assert.equal(status, 404)
        assert.match(await tab.innerText('body'), /No such pond|Page not found/)
        await tab.close()
      }
    })
  })
}

test('the search of MkDocs finds a word', async () => {
  const peer = visits.owners.find(({ label }) => label === 'MkDocs')
  const { tab } = await visits.opened(visits.known(peer, '/guide/start/'))
  await tab.getByRole('link', { name: 'Search' }).click()
  await tab.getByRole('searchbox').pressSequentially('xylophone')
  await tab.getByRole('link', { name: 'Wading' }).click()
  await tab.getByRole('heading', { name: 'Deep' }).waitFor()
  await tab.close()
})

describe('an application of one page', () => {
  let dir, peer

  before(async () => {
    dir = await app()
    peer = await visits.owner('App', dir)
  })

  const shows = (tab, path) => tab.getByRole('heading', { name: path, exact: true }).waitFor()

  test('every page is what it is behind a plain static server', async () => {
    const { expected, visited } = await visits.compared(dir, peer)
    assert.deepEqual([...expected.keys()], ['/', '/notes/1', '/notes/2'])
    assert.deepEqual(visited, expected)
  })

  test('a deep link, reload, Back and Forward', async () => {
    const { tab, ...first } = await visits.opened(visits.known(peer, '/notes/2'))
    assert.deepEqual(first, { status: 200, path: '/notes/2' })
    await shows(tab, '/notes/2')
    await tab.getByRole('link', { name: 'One' }).click()
    await shows(tab, '/notes/1')
    assert.equal((await tab.reload()).status(), 200)
    await shows(tab, '/notes/1')
    await tab.goBack()
    await shows(tab, '/notes/2')
    await tab.goForward()
    await shows(tab, '/notes/1')
    await tab.close()
  })

  test('a deep link in the window', async () => {
    await visits.window.go(`goop://${peer.id}/notes/2`)
    await shows(visits.window.site, '/notes/2')
    await visits.window.site.getByRole('link', { name: 'One' }).click()
    await shows(visits.window.site, '/notes/1')
  })

  test('a script or picture that is not there is no page', async () => {
    const { tab } = await visits.opened(visits.known(peer, '/'))
    const answers = await tab.evaluate(() => Promise.all(['/assets/none.js', '/assets/none.png', '/none.json'].map(async (url) => (await fetch(url)).status)))
    assert.deepEqual(answers, [404, 404, 404])
    for (const path of ['/assets/none.js', '/none.png']) {
      const { tab, status } = await visits.opened(visits.known(peer, path))
      assert.equal(status, 404, path)
      await tab.close()
    }
    await tab.close()
  })
})
