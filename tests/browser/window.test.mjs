// A visited page stays in its frame: the window around it does not navigate, shows nothing false, and keeps working.

import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import { launch, profile, Window } from './lib/browser.mjs'
import { Canary } from './lib/canary.mjs'
import { Peer, removeAll } from './lib/peer.mjs'

const page = (title, text = '') => `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>${title}</title><h1>${title}</h1>${text}`

let browser, context, elsewhere, visitor, host, other, window, frame
let departures = []
let pages = []

before(async () => {
  ;[browser, elsewhere, visitor, host, other] = await Promise.all([
    launch(),
    Canary.start(),
    Peer.start('Visitor'),
    Peer.start('Harm', { site: { 'index.html': page('Harm'), 'outer.html': page('Outer', '<iframe src="inner.html"></iframe>'), 'inner.html': page('Inner') } }),
    Peer.start('Other', { site: { 'index.html': page('Other') } }),
  ])
  await visitor.join(host)
  await visitor.join(other)
  context = await profile(browser)
})

const base = (url) => url.split('#', 1)[0]

/** At the hostile site, in a window that came from somewhere else, so that "back" could leave. */
async function arrive() {
  if (!window) {
    window = new Window(await context.newPage())
    await window.page.goto(elsewhere.url)
    await window.page.goto(visitor.openUrl)
    // The address names the site that is shown after its `#`; the document stays.
    window.page.on('framenavigated', (moved) => moved === window.page.mainFrame() && base(moved.url()) !== visitor.url && departures.push(moved.url()))
    window.page.on('domcontentloaded', (page) => departures.push(page.url()))
    context.on('page', (opened) => pages.push(opened.url()))
  }
  elsewhere.heard = 0
  frame = await window.visit(visitor, host)
  departures = []
  pages = []
}

/** The window is where it was, nothing opened beside it, nobody else was told, and it does what the user wants. */
async function unharmed() {
  const shown = await window.visit(visitor, other)
  assert.equal(await shown.getByRole('heading').textContent(), 'Other')
  await window.address.filter({ hasText: 'Other' }).waitFor()
  assert.equal(base(window.page.url()), visitor.url)
  assert.deepEqual({ departures, pages, heard: elsewhere.heard }, { departures: [], pages: [], heard: 0 })
}

after(async () => {
  await browser?.close()
  await Promise.all([elsewhere?.stop(), removeAll(visitor, host, other)])
})

const departing = {
  'top.location': (url) => { top.location = url },
  'top.location.replace': (url) => top.location.replace(url),
  'parent.location.href': (url) => { parent.location.href = url },
  'a link to the top': (url) => clicked({ href: url, target: '_top' }),
  'a link to the parent': (url) => clicked({ href: url, target: '_parent' }),
  'a form to the top': (url) => submitted({ action: url, target: '_top' }),
  'window.open of the top': (url) => open(url, '_top'),
}
const opening = {
  'window.open': (url) => { globalThis.opened = open(url) },
  'a link to a new window': (url) => clicked({ href: url, target: '_blank' }),
  'a link to a new window with an opener': (url) => clicked({ href: url, target: '_blank', rel: 'opener' }),
  'a form to a new window': (url) => submitted({ action: url, target: '_blank' }),
}
const tricks = {
  'a script as an address': () => { top.location = 'javascript:document.body.remove()' },
  'the history': () => history.go(-5),
  'top.close': () => top.close(),
  'the opener': (url) => { opener.location = url },
  'a base': (url) => document.head.append(Object.assign(document.createElement('base'), { href: url, target: '_top' })),
}

/** What the attempts use. */
const tools = () => {
  globalThis.clicked = (attributes) => {
    const link = Object.assign(document.createElement('a'), attributes, { textContent: 'x' })
    document.body.append(link)
    link.click()
  }
  globalThis.submitted = (attributes) => {
    const form = Object.assign(document.createElement('form'), attributes, { method: 'post' })
    document.body.append(form)
    form.submit()
  }
}

describe('in any other frame each attempt works, so that its failure means something', () => {
  let outer, inner
  const goal = () => `${elsewhere.url}there`
  beforeEach(async () => {
    outer = await context.newPage()
    await outer.goto(elsewhere.url)
    const framed = outer.waitForEvent('framenavigated', { predicate: (frame) => frame !== outer.mainFrame() && frame.url() === elsewhere.at('localhost') })
    await outer.evaluate((url) => document.body.append(Object.assign(document.createElement('iframe'), { src: url })), elsewhere.at('localhost'))
    inner = await framed
    await inner.waitForLoadState()
    await inner.evaluate(tools)
  })
  afterEach(() => outer.close())

  for (const [name, attempt] of Object.entries(departing)) {
    test(`leaving by ${name}`, async () => {
      await Promise.all([outer.waitForURL(goal()), inner.evaluate(attempt, goal()).catch(() => {})])
    })
  }
  for (const [name, attempt] of Object.entries(opening)) {
    test(`opening by ${name}`, async () => {
      const [opened] = await Promise.all([context.waitForEvent('page'), inner.evaluate(attempt, goal())])
      await opened.waitForURL(goal())
      await opened.close()
    })
  }
})

describe('the window is not navigated, and no other one opens', () => {
  for (const [name, attempt] of Object.entries({ ...departing, ...opening, ...tricks })) {
    test(`by ${name}`, async () => {
      await arrive()
      await frame.evaluate(tools)
      await frame.evaluate(attempt, elsewhere.url).catch((error) => assert.match(error.message, /SecurityError|null|Blocked/))
      await unharmed()
    })
  }
})

describe('the frame does not leave sites', () => {
  const goals = {
    'another port': () => elsewhere.url,
    'a private address': () => elsewhere.at(process.env.LAN),
    'the window itself': () => visitor.url,
    'the user’s API': () => `${visitor.url}api/snapshot`,
    'the web': () => `https://${process.env.LAN}/`,
    'a page made of text': () => 'data:text/html,<h1>Other</h1>',
  }
  for (const [name, goal] of Object.entries(goals)) {
    test(name, async () => {
      await arrive()
      // The frame has a process of its own: it waits until the window listens.
      const refused = await window.page.evaluateHandle(() => ({
        directive: new Promise((resolve) => document.addEventListener('securitypolicyviolation', (event) => resolve(event.effectiveDirective))),
      }))
      await frame.evaluate((url) => { location.href = url }, goal())
      assert.equal(await refused.evaluate(({ directive }) => directive), 'frame-src')
      // Where it wants to go is asked, once; who stays has lost nothing.
      const asked = window.page.getByRole('dialog', { name: /Leave Goop2\?|This link can’t be followed here/ })
      if (await asked.isVisible()) await window.page.keyboard.press('Escape')
      await unharmed()
    })
  }
})

describe('the window shows nothing false', () => {
  test('when a page has frames', async () => {
    await arrive()
    const outer = await window.visit(visitor, host, '/outer.html')
    await outer.childFrames()[0].waitForLoadState()
    await window.address.filter({ hasText: '/outer.html' }).waitFor()
    await outer.evaluate(() => document.querySelector('iframe').contentWindow.location.replace('index.html'))
    await outer.childFrames()[0].waitForURL(/index\.html/)
    assert.match(await window.address.textContent(), /\/outer\.html/)
  })

  test('when another tab asks for a site in a frame', async () => {
    await arrive()
    await window.address.filter({ hasText: 'Harm' }).waitFor()
    const names = await window.page.evaluateHandle(() => {
      const seen = []
      const bar = document.querySelector('[role=toolbar]')
      new MutationObserver(() => seen.push(bar.textContent)).observe(bar, { subtree: true, childList: true, characterData: true })
      return seen
    })
    const tab = await context.newPage()
    await tab.goto(elsewhere.url)
    const refused = tab.waitForEvent('console', { predicate: (message) => /frame-ancestors/.test(message.text()) })
    await tab.evaluate((url) => document.body.append(Object.assign(document.createElement('iframe'), { src: url })), await visitor.site(other))
    await refused
    await tab.close()
    // What the window was told before this, it has dealt with after it.
    await window.arrival(await visitor.site(host), () => window.reload.click())
    await window.address.filter({ hasText: 'Harm' }).waitFor()
    assert.ok((await names.jsonValue()).every((text) => !text.includes('Other')))
  })

  test('when messages are sent to it', async () => {
    await arrive()
    await frame.evaluate(
      ([id]) => {
        const place = { peer: id, path: '/' }
        for (const message of [place, { place, status: 200 }, { type: 'navigated', place }, { event: 'navigated', data: { place, status: 200 } }, JSON.stringify({ place }), 'x', null])
          for (const to of [parent, top]) to.postMessage(message, '*')
      },
      [other.id],
    )
    // A message is delivered before one that the window sends itself afterwards.
    await window.page.evaluate(() => new Promise((resolve) => {
      addEventListener('message', ({ data }) => data === 'last' && resolve())
      postMessage('last', '*')
    }))
    assert.match(await window.address.textContent(), /Harm/)
    await unharmed()
  })
})

describe('the window keeps working', () => {
  test('after a dialog', async () => {
    await arrive()
    window.page.on('dialog', (dialog) => dialog.dismiss())
    await frame.evaluate(() => {
      alert('x')
      confirm('x')
      prompt('x')
      print()
    })
    await unharmed()
  })

  test('after a download', async () => {
    await arrive()
    await frame.evaluate(() => {
      const href = URL.createObjectURL(new Blob(['x'], { type: 'application/octet-stream' }))
      const link = Object.assign(document.createElement('a'), { href, download: 'x.exe' })
      document.body.append(link)
      link.click()
    })
    await unharmed()
  })

  test('when a page tries to prevent leaving', async () => {
    await arrive()
    await frame.evaluate(() => {
      onbeforeunload = (event) => event.preventDefault()
    })
    await frame.locator('h1').click()
    await unharmed()
  })

  test('when a page requests full screen', async () => {
    await arrive()
    assert.equal(await frame.evaluate(() => document.documentElement.requestFullscreen().then(() => 'filled', (error) => error.name)), 'TypeError')
    await unharmed()
  })
})

describe('a visit leaves nothing unsaid', () => {
  before(arrive)

  /** After an answer nobody is asked for a moment, whatever a page does: then it is followed again. */
  const explained = async (href, says) => {
    const dialog = window.page.getByRole('dialog', { name: 'This link can’t be followed here' })
    for (let tries = 0; tries < 20 && !(await dialog.isVisible()); tries++) {
      try {
        frame = await window.visit(visitor, host)
        await frame.evaluate(tools)
        await frame.evaluate((href) => clicked({ href }), href)
      } catch {
        // The page that was left is loaded again, and may be so in between.
      }
      await dialog.waitFor({ timeout: 3000 }).catch(() => {})
    }
    await dialog.getByText(says).waitFor()
    await dialog.getByRole('button', { name: 'OK' }).click()
    await dialog.waitFor({ state: 'detached' })
  }

  test('a link to another peer, of which the browser does not tell where it leads, is explained', () => explained(`goop://${other.id}/`, 'If its address starts with goop://'))

  for (const href of ['xmpp:ann@example.org', 'sms:+4912345', 'magnet:?xt=urn:x'])
    test(`so is a link to another program, of which Chromium tells as little: ${href}`, () => explained(href, 'Your browser doesn’t tell Goop2 where it leads.'))

  test('History has the titles of pages', async () => {
    await window.visit(visitor, host, '/outer.html')
    await window.visit(visitor, other)
    await window.page.keyboard.press('Control+h')
    await window.page.getByRole('button', { name: 'Harm Outer /outer.html' }).first().click()
    await window.site.getByRole('heading', { name: 'Outer' }).waitFor()
  })
})

test('a page that is covered does not go on animating', async () => {
  frame = await window.visit(visitor, other)
  await frame.evaluate(() => {
    globalThis.frames = 0
    const next = () => {
      globalThis.frames++
      requestAnimationFrame(next)
    }
    next()
  })
  const drawn = async () => {
    const before = await frame.evaluate(() => globalThis.frames)
    await new Promise((done) => setTimeout(done, 500))
    return (await frame.evaluate(() => globalThis.frames)) - before
  }
  const becomes = async (wanted) => {
    for (let look = 0; look < 40; look++) if (wanted(await drawn())) return
    assert.fail('it does not')
  }
  await becomes((count) => count > 0)
  await window.show('Network')
  // A frame that is out of sight may still draw once in a while.
  await becomes((count) => count <= 1)
  await window.page.getByRole('button', { name: 'Close this page' }).click()
  await becomes((count) => count > 1)
})

// The last one: the browser takes a while to end the process of that site.
test('the window keeps working when a page never ends', async () => {
  await arrive()
  frame.evaluate(() => {
    for (;;);
  }).catch(() => {})
  await unharmed()
})
