// Sound and film at another peer: a person who goes to the last minute waits for that minute, not for all before it.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { launch, profile } from './lib/browser.mjs'
import { Peer, removeAll } from './lib/peer.mjs'

const seconds = 60
const page = (element) => `<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,"><title>Media</title><${element} controls preload="metadata" src="tone.wav"></${element}>`

/** A minute of a tone: RIFF WAVE, 96 kHz, two channels of 32 bits, so that a browser won't hold all of it. */
function tone() {
  const [rate, channels, bytes] = [96_000, 2, 4]
  const frame = channels * bytes
  const data = Buffer.alloc(seconds * rate * frame)
  // One second that repeats.
  for (let at = 0; at < rate; at++) {
    const sample = Math.round(2 ** 28 * Math.sin((2 * Math.PI * 440 * at) / rate))
    for (let channel = 0; channel < channels; channel++) data.writeInt32LE(sample, at * frame + channel * bytes)
  }
  for (let second = 1; second < seconds; second++) data.copy(data, second * rate * frame, 0, rate * frame)
  const head = Buffer.alloc(44)
  head.write('RIFF', 0)
  head.writeUInt32LE(36 + data.length, 4)
  head.write('WAVEfmt ', 8)
  head.writeUInt32LE(16, 16)
  head.writeUInt16LE(1, 20)
  head.writeUInt16LE(channels, 22)
  head.writeUInt32LE(rate, 24)
  head.writeUInt32LE(rate * frame, 28)
  head.writeUInt16LE(frame, 32)
  head.writeUInt16LE(bytes * 8, 34)
  head.write('data', 36)
  head.writeUInt32LE(data.length, 40)
  return Buffer.concat([head, data])
}

const file = tone()
let browser, context, visitor, owner

before(async () => {
  const site = { 'audio.html': page('audio'), 'video.html': page('video'), 'tone.wav': file }
  ;[browser, visitor, owner] = await Promise.all([launch(), Peer.start('Visitor'), Peer.start('Owner', { site })])
  context = await profile(browser)
  await visitor.join(owner)
})

after(async () => {
  await browser?.close()
  await removeAll(visitor, owner)
})

/** Opens a page with a player; `ranges` is what the browser asked for and got. */
async function player(url) {
  const tab = await context.newPage()
  const ranges = []
  tab.on('response', async (response) => {
    if (!response.url().endsWith('.wav')) return
    const { range } = await response.request().allHeaders()
    ranges.push({ status: response.status(), asked: range, got: response.headers()['content-range'] })
  })
  // What came, whether or not the player took it.
  const network = await context.newCDPSession(tab)
  await network.send('Network.enable')
  let received = 0
  network.on('Network.dataReceived', ({ dataLength }) => { received += dataLength })
  await tab.goto(url)
  const media = tab.locator('audio, video')
  await media.evaluate((media) => media.readyState >= 1 || new Promise((done, fail) => {
    media.addEventListener('loadedmetadata', done, { once: true })
    media.addEventListener('error', () => fail(new Error(media.error.message)), { once: true })
  }))
  return { tab, media, ranges, received: () => received }
}

const seek = (media, to) => media.evaluate((media, to) => new Promise((done, fail) => {
  media.addEventListener('seeked', () => done(media.currentTime), { once: true })
  media.addEventListener('error', () => fail(new Error(media.error.message)), { once: true })
  media.currentTime = to
}), to)

for (const [whose, host] of Object.entries({ visited: () => visitor, own: () => owner })) {
  describe(`on a ${whose} site`, () => {
    for (const element of ['audio', 'video']) {
      test(`${element} seeks by ranges, without a complete download first`, async () => {
        const { tab, media, ranges, received } = await player(`${host().url}p/${owner.id}/${element}.html`)
        assert.equal(await media.evaluate((media) => Math.round(media.duration)), seconds)
        for (const to of [55, 20, 40]) assert.ok(Math.abs((await seek(media, to)) - to) < 1, `${to} s`)
        assert.ok(await media.evaluate((media) => media.seekable.length === 1 && media.seekable.end(0) > 59))
        const parts = ranges.map(({ got }) => Number(/^bytes (\d+)-\d+\/(\d+)$/.exec(got)?.[1]))
        assert.ok(ranges.every(({ status, asked }) => status === 206 && asked), JSON.stringify(ranges))
        assert.ok(parts.some((first) => first > file.length / 2), JSON.stringify(ranges))
        assert.ok(received() < file.length, `${received()} of ${file.length} bytes`)
        await tab.close()
      })
    }

    test('it plays on from there', async () => {
      const { tab, media } = await player(`${host().url}p/${owner.id}/audio.html`)
      await seek(media, 50)
      await media.evaluate(async (media) => {
        media.muted = true
        await media.play()
        await new Promise((done) => media.addEventListener('timeupdate', () => media.currentTime > 50.1 && done()))
      })
      await tab.close()
    })
  })
}
