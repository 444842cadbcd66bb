// A folder of photos that somebody has anyway: it is online from where it is, however much is in it.

import assert from 'node:assert/strict'
import { mkdtemp, open, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { deflateSync, crc32 } from 'node:zlib'
import { promised } from '../support/promise.mjs'
import { launch, profile, Window } from './lib/browser.mjs'
import { Peer, removeAll } from './lib/peer.mjs'

const PHOTOS = 2000
/** 8 GB in all: of each, the disk has a picture of a few bytes, and no more. */
const BYTES = 4_000_000
const LISTED_MS = 2000
/** What a peer needs more, whatever it sends: some buffers for each of the requests of a browser. */
const MEMORY_MIB = 64

let browser, host, visitor, photos
const name = (number) => `IMG_${String(number).padStart(4, '0')}.png`

before(async () => {
  photos = await mkdtemp(join(tmpdir(), 'goop2-photos-'))
  const picture = png(32)
  for (let number = 0; number < PHOTOS; number++) await sparse(join(photos, name(number)), picture)
  ;[browser, host, visitor] = await Promise.all([launch(), Peer.start('Host'), Peer.start('Mira')])
  await visitor.join(host)
})

after(async () => {
  await browser?.close()
  await removeAll(host, visitor)
  if (photos) await rm(photos, { recursive: true, force: true })
})

describe(`${PHOTOS} photos of 8 GB`, { timeout: 300_000 }, () => {
  let page, idle
  const shown = (page) => page.evaluate(() => [...document.images].filter((image) => image.complete && image.naturalWidth > 0).length)

  /** Opens the site until all are listed. */
  async function listed(page, url) {
    await page.goto(url, { waitUntil: 'commit' })
    await page.waitForFunction((count) => document.images.length === count, PHOTOS, { timeout: 60_000 })
  }

  test('are listed as soon as their folder is chosen', async () => {
    const context = await profile(browser)
    const own = await context.newPage()
    idle = await Promise.all([host, visitor].map((peer) => peer.memory('VmRSS')))
    const [stored, url] = [await disk(host.dir), await host.site(host)]
    const begun = performance.now()
    await host.api('api/site', { op: 'set_folder', path: photos })
    await listed(own, url)
    promised(`${PHOTOS} photos, from choosing their folder to the listing`, performance.now() - begun, LISTED_MS)
    await context.close()
    // Nothing was copied.
    assert.ok((await disk(host.dir)) - stored < 1_000_000)
  })

  test('are listed at a visitor', async () => {
    page = await (await profile(browser)).newPage()
    await listed(page, await visitor.site(host))
  })

  test('show their thumbnails as they come, and take little memory', async () => {
    await page.waitForFunction(() => {
      // The first rows of them: to ask where each of thousands is has all of them laid out.
      const seen = [...document.images].slice(0, 60).filter((image) => image.getBoundingClientRect().top < innerHeight)
      return seen.length > 0 && seen.every((image) => image.complete && image.naturalWidth > 0)
    }, undefined, { timeout: 120_000 })
    const first = await shown(page)
    assert.ok(first < PHOTOS / 2, `${first} are there at once`)
    await page.evaluate(() => [...document.images].at(-1).scrollIntoView())
    await page.waitForFunction(() => [...document.images].at(-1).naturalWidth > 0, undefined, { timeout: 120_000 })
    const peaks = await Promise.all([host.memory('VmHWM'), visitor.memory('VmHWM')])
    for (const [at, peak] of peaks.entries()) {
      promised(`memory of ${['their owner', 'their visitor'][at]} more for ${PHOTOS} photos`, peak - idle[at], MEMORY_MIB, 'MiB')
    }
    await page.context().close()
  })

  test('are listed to their owner as soon', async () => {
    const context = await profile(browser, { reducedMotion: 'reduce' })
    const window = await Window.open(context, host)
    const began = performance.now()
    await window.page.getByRole('button', { name: 'My site', exact: true }).click()
    await window.page.getByRole('treeitem', { name: new RegExp(name(0)) }).waitFor()
    promised(`${PHOTOS} photos, listed on the My site page`, performance.now() - began, LISTED_MS)
    await context.close()
  })
})

/** Bytes that the disk has of everything in a folder. */
async function disk(folder) {
  const names = await readdir(folder, { recursive: true })
  const found = await Promise.all(names.map((name) => stat(join(folder, name)).catch(() => ({ blocks: 0 }))))
  return found.reduce((sum, { blocks }) => sum + 512 * blocks, 0)
}

async function sparse(path, bytes) {
  const file = await open(path, 'wx')
  await file.write(bytes)
  await file.truncate(BYTES)
  await file.close()
}

/** A gray picture. What follows its end, nobody reads. */
function png(size) {
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data])
    const [length, check] = [data.length, crc32(body)].map((number) => Buffer.from(Uint32Array.of(number).buffer).swap32())
    return Buffer.concat([length, body, check])
  }
  const head = Buffer.alloc(13)
  head.writeUInt32BE(size, 0)
  head.writeUInt32BE(size, 4)
  head[8] = 8
  const rows = Buffer.alloc(size * (size + 1), 0x80)
  for (let row = 0; row < size; row++) rows[row * (size + 1)] = 0
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), chunk('IHDR', head), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))])
}
