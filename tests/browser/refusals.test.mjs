// What a page is refused, the person sees at that moment: in Goop2's window, and in a tab of a browser, where there is no window.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { launchKeeping, Window } from './lib/browser.mjs'
import { Canary } from './lib/canary.mjs'
import { Peer, removeAll } from './lib/peer.mjs'
import { pdf } from './lib/pdf.mjs'

const page = (title, text) => `<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,"><title>${title}</title><h1>${title}</h1>${text}`

let context, elsewhere, visitor, owner

before(async () => {
  // Debian's browser lets frames of other sites keep nothing, so they have no service workers to ask for.
  ;[context, elsewhere, visitor] = await Promise.all([launchKeeping(), Canary.start(), Peer.start('Visitor')])
  const away = `http://127.0.0.1:${elsewhere.port}`
  const site = {
    'index.html': page('Front', ''),
    'form.html': page('Form', `<form method="post" action="${away}/sent"><input name="text" value="x"><button>Send</button></form>`),
    'frame.html': page('Frame', `<iframe title="Other" src="${away}/page"></iframe>`),
    'worker.html': page('Worker', '<script>addEventListener("load", () => navigator.serviceWorker.register("sw.js").catch(() => document.body.append("refused")))</script>'),
    'sw.js': 'onfetch = () => {}',
    'paper.html': page('Paper', '<embed type="application/pdf" src="paper.pdf" width="400" height="300">'),
    'paper.pdf': pdf('Paper'),
  }
  owner = await Peer.start('Owner', { site })
  // Those of existing peers don't reload either.
  await owner.api('api/settings', { 'site.reload': false })
  await visitor.join(owner)
})

after(async () => {
  await context?.close()
  await Promise.all([elsewhere?.stop(), removeAll(visitor, owner)])
})

/** As a click does, without waiting for the page that never comes. */
const send = (site) => site.getByRole('button', { name: 'Send' }).evaluate((button) => button.click())

/** Sends the form, if there is one; what is said over the page then, and whether that goes away. All of it runs in the page: the
    driver waits for the end of a navigation that was refused. */
const refusal = () => new Promise((resolve) => {
  const look = () => {
    const host = document.querySelector('goop-refused')
    const said = host?.shadowRoot.querySelector('[role=status] span')?.textContent
    if (!said) return
    seeing.disconnect()
    host.shadowRoot.querySelector('button').click()
    resolve({ said, gone: !document.querySelector('goop-refused') })
  }
  const seeing = new MutationObserver(look)
  seeing.observe(document.documentElement, { childList: true, subtree: true })
  look()
  document.querySelector('form button')?.click()
})

const cases = {
  form: { act: send, listed: () => `Form — http://127.0.0.1:${elsewhere.port}`, said: /Goop2 didn’t send this form to http:\/\/127\.0\.0\.1/ },
  frame: { act: () => {}, listed: () => `Embedded page — http://127.0.0.1:${elsewhere.port}`, said: /Goop2 didn’t show a page of http:\/\/127\.0\.0\.1/ },
  worker: { act: () => {}, listed: () => `Service worker — /p/${owner.id}/sw.js`, said: /This site wants to work offline/ },
}

describe('in the window', () => {
  let window
  before(async () => (window = await Window.open(context, visitor)))

  for (const [name, { act, listed }] of Object.entries(cases)) {
    test(`a ${name} that is refused is listed at once`, async () => {
      await window.visit(visitor, owner, `/${name}.html`)
      await act(window.site)
      if (name === 'form') {
        await window.page.getByText('This form wasn’t sent to').waitFor()
        // It leads out as a link does, so the window offers the browser for it.
        await window.page.getByRole('dialog', { name: 'Leave Goop2?' }).getByRole('button', { name: 'Stay here' }).click()
      }
      await window.toolbar.getByRole('button', { name: '1 blocked', exact: true }).click()
      await window.page.getByText(listed(), { exact: true }).waitFor()
      await window.page.keyboard.press('Escape')
    })
  }
})

describe('in a tab', () => {
  for (const [name, { said }] of Object.entries(cases)) {
    test(`a ${name} that is refused is named over the page`, async () => {
      const tab = await context.newPage()
      // What the page itself can't reach, a test does.
      await tab.addInitScript(() => {
        const attach = Element.prototype.attachShadow
        Element.prototype.attachShadow = function (options) { return attach.call(this, { ...options, mode: 'open' }) }
      })
      await tab.goto(await visitor.site(owner, `/${name}.html`))
      const seen = await tab.evaluate(refusal)
      assert.match(seen.said, said)
      assert.ok(seen.gone)
      await tab.close()
    })
  }

  test('nothing is said over a page that is refused nothing', async () => {
    const tab = await context.newPage()
    await tab.goto(await visitor.site(owner))
    assert.equal(await tab.locator('goop-refused').count(), 0)
    await tab.close()
  })

  test('and nothing of it was sent', () => assert.equal(elsewhere.heard, 0))
})

test('a PDF that a page embeds is shown', async () => {
  const tab = await context.newPage()
  const refused = []
  tab.on('console', (message) => message.type() === 'error' && refused.push(message.text()))
  await tab.goto(await visitor.site(owner, '/paper.html'))
  const viewer = await tab.waitForEvent('framenavigated', { predicate: (frame) => frame.url().startsWith('chrome-extension://') }).catch(() => null)
  assert.ok(viewer ?? tab.frames().some((frame) => frame.url().startsWith('chrome-extension://')), tab.frames().map((frame) => frame.url()).join('\n'))
  assert.deepEqual(refused, [])
  await tab.close()
})
