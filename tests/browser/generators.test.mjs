// Sites that real generators built, and an application of one page: at another peer they are what they are on any host.

import assert from 'node:assert/strict'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { launch, profile, Window } from './lib/browser.mjs'
import { app, hugo, mkdocs, removeBuilds } from './lib/builds.mjs'
import { crawl } from './lib/crawl.mjs'
import { Peer, removeAll } from './lib/peer.mjs'
import { Plain } from './lib/plain.mjs'

let browser, context, visitor, window
const owners = []

before(async () => {
  ;[browser, visitor] = await Promise.all([launch(), Peer.start('Visitor')])
  context = await profile(browser)
  window = await Window.open(context, visitor)
})

after(async () => {
  await browser?.close()
  await removeAll(visitor, ...owners)
  await removeBuilds()
})

/** A peer with this folder as its site, online for the visitor. */
async function owner(label, dir) {
  const peer = await Peer.start(label)
  owners.push(peer)
  await cp(dir, join(peer.dir, 'site'), { recursive: true })
  await visitor.join(peer)
  return peer
}

/** The address that people know; the viewer sends a browser on from there. */
const known = (peer, path = '/') => `${visitor.url}p/${peer.id}${path}`

/** In a tab: the page of this address, and what it shows. */
async function opened(url) {
  const tab = await context.newPage()
  const answer = await tab.goto(url)
  return { tab, status: answer.status(), path: new URL(tab.url()).pathname }
}

const builds = {
  Hugo: { build: hugo, pages: 6, deep: '/posts/second/', heading: 'The second post', link: 'Before', leads: 'The first post', atRoot: true },
  MkDocs: { build: mkdocs, pages: 4, deep: '/guide/start/', heading: 'Start', link: 'deeper', leads: 'Deep', atRoot: false },
}

for (const [name, { build, pages, deep, heading, link, leads, atRoot }] of Object.entries(builds)) {
  describe(name, () => {
    let dir, peer, visited

    before(async () => {
      dir = await build()
      peer = await owner(name, dir)
    })

    test('every page is what it is behind a plain static server', async () => {
      const plain = await Plain.start(dir)
      try {
        const expected = await crawl(context, `${plain.url}/`)
        visited = await crawl(context, known(peer))
        assert.equal(expected.size, pages, [...expected.keys()].join(' '))
        for (const [path, { status, pictures }] of expected) {
          assert.equal(status, 200, path)
          for (const [url, width] of pictures) assert.ok(width > 0, `${path}: ${url}`)
        }
        assert.deepEqual(visited, expected)
      } finally {
        await plain.stop()
      }
    })

    test('its owner sees the same', async () => {
      assert.deepEqual(await crawl(context, `${peer.url}p/${peer.id}/`), visited)
    })

    test('a deep page opens by link, and again when it is reloaded', async () => {
      const path = atRoot ? deep : `/p/${peer.id}${deep}`
      const { tab, ...first } = await opened(known(peer, deep))
      assert.deepEqual(first, { status: 200, path })
      const again = await tab.reload()
      assert.equal(again.status(), 200)
      await tab.getByRole('heading', { name: heading }).waitFor()
      assert.equal(await tab.evaluate(() => location.pathname), path)
      await tab.close()
    })

    test('a folder without its slash is that folder', async () => {
      const { tab, status, path } = await opened(known(peer, `${deep.slice(0, -1)}?a=b`))
      assert.equal(status, 200)
      assert.ok(path.endsWith(deep), path)
      assert.equal(new URL(tab.url()).search, '?a=b')
      await tab.close()
    })

    test('in the window', async () => {
      await window.go(`goop://${peer.id}${deep}`)
      await window.site.getByRole('heading', { name: heading }).waitFor()
      await window.reload.click()
      await window.site.getByRole('heading', { name: heading }).waitFor()
      await window.site.getByRole('link', { name: link }).click()
      await window.site.getByRole('heading', { name: leads }).waitFor()
      await window.back.click()
      await window.site.getByRole('heading', { name: heading }).waitFor()
    })

    test('its own page says what is not there', async () => {
      for (const path of ['/none', '/none/none.html']) {
        const { tab, status } = await opened(known(peer, path))
        assert.equal(status, 404)
        assert.match(await tab.innerText('body'), /No such pond|Page not found/)
        await tab.close()
      }
    })
  })
}

test('the search of MkDocs finds a word', async () => {
  const peer = owners.find(({ label }) => label === 'MkDocs')
  const { tab } = await opened(known(peer, '/guide/start/'))
  await tab.getByRole('link', { name: 'Search' }).click()
  await tab.getByRole('searchbox').pressSequentially('xylophone')
  await tab.getByRole('link', { name: 'Wading' }).click()
  await tab.getByRole('heading', { name: 'Deep' }).waitFor()
  await tab.close()
})

describe('an application of one page', () => {
  let peer, expected

  before(async () => {
    const dir = await app()
    peer = await owner('App', dir)
    const plain = await Plain.start(dir)
    expected = await crawl(context, `${plain.url}/`)
    await plain.stop()
  })

  const shows = (tab, path) => tab.getByRole('heading', { name: path, exact: true }).waitFor()

  test('every page is what it is behind a plain static server', async () => {
    assert.deepEqual([...expected.keys()], ['/', '/notes/1', '/notes/2'])
    assert.deepEqual(await crawl(context, known(peer)), expected)
  })

  test('a deep link, reload, Back and Forward', async () => {
    const { tab, ...first } = await opened(known(peer, '/notes/2'))
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
    await window.go(`goop://${peer.id}/notes/2`)
    await shows(window.site, '/notes/2')
    await window.site.getByRole('link', { name: 'One' }).click()
    await shows(window.site, '/notes/1')
  })

  test('a script or picture that is not there is no page', async () => {
    const { tab } = await opened(known(peer, '/'))
    const answers = await tab.evaluate(() => Promise.all(['/assets/none.js', '/assets/none.png', '/none.json'].map(async (url) => (await fetch(url)).status)))
    assert.deepEqual(answers, [404, 404, 404])
    for (const path of ['/assets/none.js', '/none.png']) {
      const { tab, status } = await opened(known(peer, path))
      assert.equal(status, 404, path)
      await tab.close()
    }
    await tab.close()
  })
})
