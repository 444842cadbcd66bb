// What holds for every page, whatever stands on it.

import assert from 'node:assert/strict'
import axe from 'axe-core'
import decode from 'qr/decode.js'
import { profile } from './browser.mjs'

/** A page in a browser of its own, how it was answered, and what went wrong in it. */
export async function open(browser, url, options) {
  const context = await profile(browser, options)
  const page = await context.newPage()
  const odd = watch(page)
  const answer = await page.goto(url)
  return { page, context, odd, status: answer.status(), headers: answer.headers() }
}

/** Notes everything that a page without mistakes and without an intruder never does. To be asked at the end. */
function watch(page) {
  const odd = []
  page.on('console', (message) => {
    // A page that says no has a status that says so.
    if (['error', 'warning'].includes(message.type()) && !/status of (400|401|403|429)/.test(message.text())) odd.push(message.text())
  })
  page.on('pageerror', (error) => odd.push(String(error)))
  page.on('dialog', (dialog) => dialog.type() === 'alert' && odd.push(dialog.message()))
  page.on('popup', (popup) => odd.push(`a window for ${popup.url()}`))
  page.on('request', (request) => {
    if (new URL(request.url()).host !== new URL(page.url()).host && page.url() !== 'about:blank') odd.push(request.url())
  })
  return odd
}

/** Usable by anyone, at any width and in either colour, and with nothing in it that a policy would have to stop. */
export async function sound(page, name) {
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(axe.source)
  // What the colours change is the contrast alone.
  for (const [width, colorScheme, runOnly] of [[1120, 'dark', ['color-contrast']], [375, 'light'], [1120, 'light']]) {
    await page.setViewportSize({ width, height: 720 })
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    const { scrolls, inline, violations } = await page.evaluate(async (options) => ({
      scrolls: document.documentElement.scrollWidth - innerWidth,
      inline: document.querySelectorAll('script:not([src]), style, [style], iframe, object, [onclick], [onload], [onerror]').length,
      violations: (await window.axe.run(options)).violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html}: ${node.failureSummary}`)),
    }), { resultTypes: ['violations'], ...(runOnly && { runOnly }) })
    const where = `${name}, ${width} px, ${colorScheme}`
    assert.deepEqual(violations, [], where)
    assert.ok(scrolls <= 0, `${where}: ${scrolls} px too wide`)
    assert.equal(inline, 0, where)
  }
}

/** As `sound`, for the window: its width is the user's business, and a visited site in a frame its owner's. */
export async function usable(page) {
  await page.evaluate(axe.source)
  for (const colorScheme of ['dark', 'light']) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    const violations = await page.evaluate(async () => (await window.axe.run(document, { resultTypes: ['violations'], iframes: false })).violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html}: ${node.failureSummary}`)))
    assert.deepEqual(violations, [], colorScheme)
  }
}

/** Shows nothing that a script could be put in: neither by the page, nor by one that got into it somehow. */
export async function runsNothing(page, headers) {
  const policy = headers['content-security-policy'].split(/;\s*/)
  for (const rule of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "base-uri 'none'", "frame-ancestors 'none'", "form-action 'self'"]) assert.ok(policy.includes(rule), rule)
  const refused = await page.evaluate(async () => {
    const refused = []
    document.addEventListener('securitypolicyviolation', (event) => refused.push(event.effectiveDirective))
    document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.ran = true' }))
    const image = Object.assign(document.createElement('div'), { innerHTML: '<img src="/favicon.ico" onload="window.ran = true" style="color: red">' }).firstChild
    document.body.append(image)
    await new Promise((done) => image.addEventListener('load', done))
    await new Promise((done) => setTimeout(done))
    return { refused: refused.sort(), ran: 'ran' in window }
  })
  assert.deepEqual(refused, { refused: ['script-src-attr', 'script-src-elem', 'style-src-attr'], ran: false })
}

/** The text in a QR code, read from the picture of it. */
export async function scan(page, code) {
  const png = (await code.screenshot()).toString('base64')
  const blank = await page.context().newPage()
  const { width, height, data } = await blank.evaluate(async (png) => {
    const image = await createImageBitmap(new Blob([Uint8Array.from(atob(png), (char) => char.charCodeAt(0))]))
    const canvas = new OffscreenCanvas(image.width, image.height).getContext('2d')
    canvas.drawImage(image, 0, 0)
    return { width: image.width, height: image.height, data: [...canvas.getImageData(0, 0, image.width, image.height).data] }
  }, png)
  await blank.close()
  return decode({ width, height, data: Uint8Array.from(data) })
}
