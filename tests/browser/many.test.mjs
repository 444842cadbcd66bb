// A page of 200 files: in Chromium it is about as fast as behind a plain static server on this computer, although it comes through two
// peers. Both are measured in turn, each time in a profile that remembers nothing, and compared.

import { createHash, randomBytes } from 'node:crypto'
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { after, before, test } from 'node:test'
import { promised } from '../support/promise.mjs'
import { launch, profile } from './lib/browser.mjs'
import { Peer, removeAll } from './lib/peer.mjs'

const rounds = 5
const kinds = {
  css: { count: 20, type: 'text/css', source: (n) => `.style-${n} { --loaded: 1 } /* ${noise()} */`, element: (name) => `<link rel="stylesheet" href="${name}">` },
  js: { count: 30, type: 'text/javascript', source: (n) => `window.ran = (window.ran ?? 0) + 1 // ${n} ${noise()}`, element: (name) => `<script src="${name}"></script>` },
  svg: { count: 149, type: 'image/svg+xml', source: (n) => `<svg xmlns="http://www.w3.org/2000/svg" width="${n + 10}" height="10"><!-- ${noise()} --></svg>`, element: (name) => `<img src="${name}" alt="">` },
}
const noise = () => randomBytes(1950).toString('hex')
const files = Object.entries(kinds).flatMap(([kind, { count, source }]) => Array.from({ length: count }, (_, n) => ({ kind, name: `${n}.${kind}`, text: source(n) })))
const page = `<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,"><title>Many</title>${files.map(({ kind, name }) => kinds[kind].element(name)).join('\n')}`
const site = Object.fromEntries([['index.html', page], ...files.map(({ name, text }) => [name, text])])

/** As any static host: from memory, with validators. */
class Static {
  static async start() {
    const made = new Static()
    const answers = new Map(Object.entries(site).map(([name, text]) => [name === 'index.html' ? '/' : `/${name}`, { name, text, etag: `"${createHash('sha256').update(text).digest('hex').slice(0, 16)}"` }]))
    made.server = createServer((request, response) => {
      const { name, text, etag } = answers.get(request.url)
      const headers = { etag, 'cache-control': 'no-cache', 'content-type': kinds[name.split('.').pop()]?.type ?? 'text/html' }
      if (request.headers['if-none-match'] === etag) response.writeHead(304, headers).end()
      else response.writeHead(200, { ...headers, 'content-length': Buffer.byteLength(text) }).end(text)
    })
    made.server.listen(0, '127.0.0.1')
    await once(made.server, 'listening')
    made.url = `http://127.0.0.1:${made.server.address().port}/`
    return made
  }
}

let browser, owner, visitor, plain
before(async () => {
  ;[browser, owner, visitor, plain] = await Promise.all([launch(), Peer.start('Owner', { site, config: { site: { reload: false } } }), Peer.start('Visitor'), Static.start()])
  await visitor.join(owner)
})
after(async () => {
  await browser?.close()
  await removeAll(visitor, owner)
  plain?.server.close()
})

test('a page of 200 files', async () => {
  const urls = { ours: await visitor.site(owner), plain: plain.url }
  const times = { ours: [[], []], plain: [[], []] }
  for (let round = 0; round < rounds; round++)
    for (const [whose, url] of Object.entries(urls)) {
      const context = await profile(browser)
      for (const visit of times[whose]) visit.push(await open(context, url))
      await context.close()
    }
  for (const [visit, limit] of [1.5, 1.1].entries()) {
    const [ours, theirs] = [median(times.ours[visit]), median(times.plain[visit])]
    const name = `a page of 200 files, ${['first', 'second'][visit]} visit`
    console.log(`${name}: ${ours.toFixed(0)} ms, a plain server ${theirs.toFixed(0)} ms`)
    promised(`${name}, of a plain server`, ours / theirs, limit, 'times')
  }
})

const median = (figures) => figures.toSorted((a, b) => a - b)[figures.length >> 1]

async function open(context, url) {
  const page = await context.newPage()
  await page.goto(url)
  const { loaded, shown } = await page.evaluate(() => ({
    loaded: performance.getEntriesByType('navigation')[0].loadEventEnd,
    shown: [document.styleSheets.length, window.ran, [...document.images].filter((image) => image.naturalWidth).length],
  }))
  assert.deepEqual(shown, Object.values(kinds).map(({ count }) => count))
  await page.close()
  return loaded
}
