// The window as a browser, with a site in its frame: shortcuts work, text is found in the page, and a link for a new window
// opens where it should.
//
// A browser has all of this by itself, and its frame may open no windows (tests/browser/window.test.mjs), so the window alone is
// looked at here.

import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Peer, removeAll } from '../browser/lib/peer.mjs'
import { desktop, keyboard, pixels, startAgain } from './lib/app.mjs'
import { until } from './lib/driver.mjs'

const page = (title, text = '') => `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>${title}</title><h1>${title}</h1>${text}`
/** Keeps every key that it gets, and writes down which. */
const GREEDY = `<script>
  const heard = []
  addEventListener('keydown', (event) => { heard.push(event.key); document.body.dataset.heard = heard.join(' '); event.preventDefault() })
</script>`

let user, window, anselm, berta

before(async () => {
  user = await desktop()
  const folder = join(user.peers, 'mira')
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'goop.json'), JSON.stringify({ profile: { label: 'Mira Sol' } }))
  const config = { p2p: { mdns_tag: 'goop-mdns' } }
  ;[anselm, berta] = await Promise.all([
    Peer.start('Anselm', {
      config,
      site: {
        'index.html': page('Front', '<a href="second.html">On</a>'),
        'second.html': page('Second', GREEDY),
        'long.html': page('Long', '<p>A heron.</p><div style="height: 4000px"></div><p>Another heron.</p>'),
        'third.html': page('Third'),
      },
    }),
    Peer.start('Berta', { config, site: { 'index.html': page('Berta’s site') } }),
  ])
  window = await user.open()
  await window.says('Anselm')
  await window.says('Berta')
})

after(async () => {
  await window?.end()
  await user?.remove()
  await removeAll(anselm, berta)
})

const inSite = (act) => window.inSite(act)
/** Looks anew each time: another site is another frame. */
const inSiteUntil = (what, look, ...args) => until(what, () => inSite(() => window.run(look, ...args)))
const shows = (title) => inSiteUntil(`the page “${title}”`, (title) => document.querySelector('h1')?.textContent === title, title)

/** Goes to a page of Anselm's, with the focus in it. */
async function visit(path, title) {
  await startAgain(`goop://${anselm.id}${path}`)
  await window.answer('Open')
  await shows(title)
  await touch(title)
}

const touch = (title) => inSite(() => window.press('heading', title))

describe('with the focus in a site', () => {
  before(async () => {
    await visit('/', 'Front')
    await inSite(() => window.press('link', 'On'))
    await shows('Second')
  })
  beforeEach(() => touch('Second'))

  test('a page gets the keys that are not shortcuts', async () => {
    await keyboard.press('x')
    await inSiteUntil('the key', () => document.body.dataset.heard === 'x')
  })

  test('Alt with an arrow goes back and forward', async () => {
    await keyboard.press('alt+Left')
    await shows('Front')
    await touch('Front')
    await keyboard.press('alt+Right')
    await shows('Second')
  })

  for (const [name, key] of [['Ctrl+R', 'ctrl+r'], ['F5', 'F5']])
    test(`${name} reloads`, async () => {
      await inSite(() => window.run(() => void (document.title = 'as it was')))
      await keyboard.press(key)
      await inSiteUntil('the page anew', () => document.title === 'Second')
    })

  test('Ctrl with +, - and 0 zooms', async () => {
    const wide = await inSite(() => window.run(() => innerWidth))
    // The page is laid out again, and what is around it stays as it is.
    const size = async (factor) => {
      await inSiteUntil(`the size ${factor}`, (wanted) => Math.abs(innerWidth - wanted) < 3, wide / factor)
      assert.equal(await window.run(() => document.querySelector('iframe').style.transform), '')
    }
    await keyboard.press('ctrl+plus')
    await size(1.1)
    await keyboard.press('ctrl+minus')
    await size(1)
    await keyboard.press('ctrl+minus')
    await size(0.9)
    await keyboard.press('ctrl+0')
    await size(1)
  })

  test('Ctrl+L edits the address', async () => {
    await keyboard.press('ctrl+l')
    await until('the address to be typed', () => window.run(() => document.activeElement.matches('input[type=text], input:not([type])') && document.activeElement.value.includes('/second.html')))
    await keyboard.press('Escape')
  })

  test('and the page got none of these', async () => {
    const heard = (await inSite(() => window.run(() => document.body.dataset.heard))) ?? ''
    assert.deepEqual(heard.split(' ').filter((key) => !['', 'Control', 'Alt', 'Shift'].includes(key)), [])
  })
})

describe('find in page', () => {
  const found = (far) =>
    inSiteUntil(`the match ${far ? 'far down' : 'above'}`, (far) => getSelection().toString() === 'heron' && scrollY > 0 === far, far)

  const height = () => window.run(() => innerHeight)
  let whole

  /** The bar that is there has the keys again: the page is asked for it first. */
  const search = async () => {
    await keyboard.press('ctrl+f')
    await until('the keys in the bar', () => window.run(() => !document.hasFocus()))
  }

  test('Ctrl+F goes from match to match', async () => {
    await visit('/long.html', 'Long')
    whole = await height()
    await keyboard.press('ctrl+f')
    await until('the bar', async () => (await height()) < whole)
    await keyboard.type('heron')
    await found(false)
    // A driver that looks into a frame takes the focus there.
    await search()
    await keyboard.press('Return')
    await found(true)
  })

  /** Under the list of peers, at the field next to it, and between the buttons and the end. */
  const looksLikeThePage = (when) => {
    let seen, wanted
    return until(`the colors ${when}`, async () => {
      const { x, y, height: bottom } = await window.ask('GET', '/window/rect')
      const [list, wide, high] = await window.run(() => [document.querySelector('aside').getBoundingClientRect().width, innerWidth, innerHeight])
      seen = await pixels(...[list - 3, list + 3, wide * 0.8].map((left) => [x + Math.round(left), y + Math.round((high + bottom) / 2)]))
      wanted = await window.run(() => ['aside', 'main', 'main'].map((name) => getComputedStyle(document.querySelector(name)).backgroundColor))
      return wanted[0] !== wanted[1] && seen.join() === wanted.join()
    }, async () => `${seen} instead of ${wanted}`)
  }

  test('the bar has the colors of the page, whatever theme is chosen and however wide the window is', async () => {
    await search()
    await window.press('button', 'Settings')
    for (const theme of ['Dark', 'Light', 'Same as system']) {
      await window.press('radio', theme)
      await looksLikeThePage(`of “${theme}”`)
    }
    const { width, height } = await window.ask('GET', '/window/rect')
    await window.ask('POST', '/window/rect', { width: 860, height })
    await looksLikeThePage('of a narrower list')
    await window.ask('POST', '/window/rect', { width, height })
    await looksLikeThePage('of the list as it was')
    await window.press('button', 'Close this page')
  })

  test('Escape closes it', async () => {
    await search()
    await keyboard.press('Escape')
    await until('no bar', async () => (await height()) === whole)
  })
})

test('a start of the program does not bring the search bar back', async () => {
  const height = () => window.run(() => innerHeight)
  const whole = await height()
  await startAgain('goop://nobody/')
  await window.answer('OK')
  assert.equal(await height(), whole)
})

test('a link in a page leads to another peer', async () => {
  await anselm.write('plain.html', page('Plain', `<a href="goop://${berta.id}/">Berta</a>`))
  await visit('/plain.html', 'Plain')
  await inSite(() => window.press('link', 'Berta'))
  await shows('Berta’s site')
})

test('a link from outside arrives with its path, query and fragment', async () => {
  const rest = '/a%20folder/where.html?x=1&y=%C3%BC#part-2'
  await anselm.write('a folder/where.html', page('Where'))
  await startAgain(`goop://${anselm.id}${rest}`)
  await window.answer('Open')
  await shows('Where')
  assert.equal(await inSite(() => window.run(() => location.href.slice(location.origin.length))), `/p/${anselm.id}${rest}`)
})

test('a page that is covered does not go on animating', async () => {
  const count = '<script>window.drawn = 0; const next = () => { window.drawn++; requestAnimationFrame(next) }; next()</script>'
  await anselm.write('moving.html', page('Moving', count))
  await visit('/moving.html', 'Moving')
  const drawn = () => inSite(() => window.run(() => window.drawn))
  const becomes = (what, wanted) => until(what, async () => {
    const before = await drawn()
    await sleep(500)
    return wanted((await drawn()) - before)
  })
  await becomes('the page moving', (count) => count > 1)
  await window.press('button', 'Settings')
  await becomes('the covered page at rest', (count) => count <= 1)
  await window.press('button', 'Close this page')
  await becomes('the page moving again', (count) => count > 1)
})

describe('a link for a new window', () => {
  before(async () => {
    const { viewer_port: port } = await window.run(() => window.__TAURI_INTERNALS__.invoke('session'))
    const link = (name, url) => `<p><a target="_blank" href="${url}">${name}</a>`
    const links = [
      ['The next page', 'third.html#part'],
      ['A peer', `goop://${berta.id}/`],
      ['A peer as in a browser', `http://127.0.0.1:${port}/p/${berta.id}/`],
      ['The web', 'https://example.org/there'],
    ]
    const unasked = '<script>open("https://example.org/unasked")</script>'
    await anselm.write('links.html', page('Links', links.map((of) => link(...of)).join('') + unasked))
  })
  beforeEach(async () => {
    await visit('/links.html', 'Links')
    assert.doesNotMatch(await window.text(), /This link leaves Goop2/, 'a window that nobody asked for')
  })
  const follow = (name) => inSite(() => window.press('link', name))
  const one = async () => assert.equal((await window.ask('GET', '/window/handles')).length, 1)

  test('to the same site is followed in place', async () => {
    await follow('The next page')
    await shows('Third')
    await window.says('/third.html')
    await one()
  })

  for (const name of ['A peer', 'A peer as in a browser'])
    test(`to ${name.toLowerCase()} is followed in place`, async () => {
      await follow(name)
      await shows('Berta’s site')
      await one()
    })

  test('to the web asks first', async () => {
    await follow('The web')
    await window.says('This link leaves Goop2: https://example.org/there')
    await shows('Links')
    await window.press('button', 'Dismiss this notice')
    await one()
  })
})

describe('what the window’s own page and a site in it may', () => {
  before(() => visit('/', 'Front'))

  test('the page runs and contacts nothing but the app', async () => {
    const broken = await window.run((site) => {
      window.broken = []
      document.addEventListener('securitypolicyviolation', (event) => window.broken.push(event.effectiveDirective))
      for (const [tag, more] of [['script', { text: 'window.ran = true' }], ['script', { src: `${site}ran.js` }], ['img', { src: `${site}ran.png` }]]) document.head.append(Object.assign(document.createElement(tag), more))
      void fetch(site).catch(() => {})
    }, anselm.url)
    assert.equal(broken, null)
    const blocked = ['connect-src', 'img-src', 'script-src-elem', 'script-src-elem']
    await until('the policy', () => window.run((count) => window.broken.length >= count, blocked.length), () => window.run(() => window.broken.join()))
    assert.deepEqual((await window.run(() => window.broken)).sort(), blocked)
    assert.equal(await window.run(() => 'ran' in window), false)
  })

  test('a site reaches neither the app nor its page', async () => {
    const reached = await inSite(() => window.run(() => {
      const tries = { inside: () => window.__TAURI_INTERNALS__, above: () => window.parent.__TAURI_INTERNALS__, page: () => window.parent.document.body }
      return Object.entries(tries).flatMap(([name, attempt]) => {
        try {
          return attempt() ? [name] : []
        } catch {
          return []
        }
      })
    }))
    assert.deepEqual(reached, [])
    // WebKit lets every frame send messages. Those without the key that only the app's page has are not obeyed.
    const kept = () => window.run(() => window.__TAURI_INTERNALS__.invoke('preference', { key: 'reached' }))
    const prefer = { cmd: 'prefer', callback: 1, error: 2, payload: { key: 'reached', value: true }, options: {} }
    await inSite(() => window.run((prefer) => {
      for (const key of [undefined, '', 'guessed']) window.webkit.messageHandlers.ipc.postMessage(JSON.stringify({ ...prefer, __TAURI_INVOKE_KEY__: key }))
    }, prefer))
    assert.equal(await kept(), null)
    await window.run(({ cmd, payload }) => window.__TAURI_INTERNALS__.invoke(cmd, payload), prefer)
    assert.equal(await kept(), true)
    const answers = await inSite(async () => {
      await window.run(() => {
        window.answers = []
        for (const url of ['ipc://localhost/session', 'ipc://localhost/snapshot', 'tauri://localhost/index.html']) {
          const init = { method: url.startsWith('ipc') ? 'POST' : 'GET', headers: { 'content-type': 'application/json' }, body: url.startsWith('ipc') ? '{}' : undefined }
          fetch(url, init).then(async (answer) => window.answers.push(`${answer.status} ${await answer.text()}`), (error) => window.answers.push(error.name))
        }
      })
      return until('all answers', () => window.run(() => window.answers.length === 3 && window.answers))
    })
    assert.deepEqual(answers, ['TypeError', 'TypeError', 'TypeError'])
  })
})
