// The first steps of a new user: a name, a page that says what to do, a visit, an entry in someone's guestbook.
//
// In a browser the same is shown by tests/browser: visit and guestbook in visit.test.mjs, a rendezvous pasted and hosted in
// meeting.test.mjs, the new name in settings.test.mjs, the end of the peer in visit.test.mjs. The first start, links of the system,
// the second start and the tray are the window's alone: a browser's page comes from a peer that runs already.

import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Peer, removeAll } from '../browser/lib/peer.mjs'
import { promised } from '../support/promise.mjs'
import { desktop, onlyPeer, pidOfWindow, startAgain } from './lib/app.mjs'
import { KEY } from './lib/driver.mjs'

/** "Under 10 seconds from double-click to that page on this machine." */
const FIRST_START_MS = 10_000
/** "Change the name and see it at the other peer within 2 s." */
const NAME_MS = 2_000

let user, window, neighbour

before(async () => {
  user = await desktop()
  neighbour = await Peer.start('Anselm — field notes', { from: 'peers/neighbour', config: { p2p: { mdns_tag: 'goop-mdns' } } })
})

after(async () => {
  await window?.end()
  await user?.remove()
  await removeAll(neighbour)
})

test('the first start asks for a name and what to put online, and goes online when that can wait', async () => {
  const since = performance.now()
  window = await user.open()
  const field = await window.find('textbox', 'Name')
  assert.doesNotMatch(await field.value(), /^(root|localhost|)$/i, 'a name is filled in, and not that of an account')
  await field.fill('Mira Sol')
  await window.press('button', 'Next')
  await window.says('What do you want to put online?')
  const { peers } = await neighbour.api('api/snapshot')
  assert.equal(peers.find(({ label }) => label === 'Mira Sol'), undefined, 'nobody sees a peer whose owner still chooses')
  await window.press('button', 'Later')
  await window.says('Everyone on this network can find your site')
  await window.anew(() => window.press('button', 'Go online'))
  await window.says('Hello, Mira Sol')
  const took = performance.now() - since
  promised('from a first start to the page, a name typed in between', took, FIRST_START_MS)
  await window.says('Online')
  const { dir, config } = await onlyPeer(user.peers)
  assert.match(dir, /mira-sol$/)
  assert.equal(config.profile.label, 'Mira Sol')
})

test('a nearby peer appears, is visited, and gets an entry in the guestbook', async () => {
  await window.says('Anselm — field notes')
  await window.press('button', /^Anselm — field notes/)
  await window.inSite(async () => {
    await window.press('link', 'Sign the guestbook')
    const message = await window.find('textbox', 'Your message')
    await message.fill('Greetings from the window')
    await window.press('button', 'Sign')
    await window.says('Greetings from the window')
  })
  const rows = await neighbour.rows('guestbook')
  assert.equal(rows.filter((row) => row.message === 'Greetings from the window').length, 1)
})

test('a new name reaches the other peer', async () => {
  await window.press('button', 'Settings')
  const field = await window.find('textbox', 'Name')
  await field.fill('Mira the Second')
  neighbour.forget()
  const since = performance.now()
  await window.key(KEY.enter)
  await neighbour.event((event) => event.event === 'peer' && event.label === 'Mira the Second' && event.state === 'online')
  const took = performance.now() - since
  promised('from a new name to the other peer', took, NAME_MS)
  const { config } = await onlyPeer(user.peers)
  assert.equal(config.profile.label, 'Mira the Second')
})

test('the log is saved without names', async () => {
  await window.press('button', 'Show log')
  await window.press('button', 'Save without names')
  await window.says(`Saved as ${join(user.home, 'goop2-log.txt')}`)
  const text = await readFile(join(user.home, 'goop2-log.txt'), 'utf8')
  assert.match(text, /viewer is listening/)
  assert.ok(!text.includes(user.home))
})

describe('links', () => {
  test('a link to a page asks first, and does nothing when canceled', async () => {
    await startAgain(`goop://${neighbour.id}/`)
    await window.find('dialog', 'Open a page by Anselm — field notes?')
    await window.answer('Cancel')
  })

  test('and goes there on a yes', async () => {
    await startAgain(`goop://${neighbour.id}/`)
    await window.answer('Open')
    await window.inSite(() => window.says('Anselm'))
  })

  test('a link to a rendezvous asks first', async () => {
    await startAgain('goop://connect?url=https://meet.example')
    await window.find('dialog', 'Join this rendezvous?')
    await window.says('https://meet.example/')
    await window.answer('Cancel')
  })

  test('and joins it on a yes', async () => {
    const server = await Peer.start('Server', { config: { presence: { rendezvous_host: true, rendezvous_port: 8790, relay_port: 0 } } })
    try {
      await startAgain('goop://connect?url=http://127.0.0.1:8790')
      await window.answer('Join')
      await window.says(/^Server$/m)
    } finally {
      await server.remove()
    }
  })

  for (const link of ['goop://connect?url=file:///etc/passwd', 'goop://nobody/', 'goop://not an address/'])
    test(`a link that leads nowhere says so: ${link}`, async () => {
      await startAgain(link)
      await window.find('dialog', 'This link can’t be opened')
      await window.says(link)
      await window.answer('OK')
    })
})

describe('what a page wants but does not get', () => {
  // A page for each: a press on one that is being loaded anew would be lost.
  const wants = async (name, link) => {
    await neighbour.write(`${name}.html`, `<!doctype html><title>Wants</title><h1>A page that wants ${name}</h1>${link}`)
    await startAgain(`goop://${neighbour.id}/${name}.html`)
    await window.answer('Open')
    await window.inSite(async () => {
      await window.says(`A page that wants ${name}`)
      await window.press('link', 'this')
    })
  }

  test('a link out of Goop2 is offered to the browser', async () => {
    await wants('out', '<a href="https://example.org/there">this</a>')
    await window.says('This link leaves Goop2: https://example.org')
    await window.press('button', 'Dismiss this notice')
  })

  for (const [name, href, says] of [
    ['mail', 'mailto:ann@example.org', 'This link writes an email: mailto:ann@example.org'],
    ['a call', 'tel:+4912345', 'This link calls a number: tel:+4912345'],
    ['company', 'goop://connect?url=https://meet.example', 'This link invites you to a rendezvous: goop://connect?url=https://meet.example'],
    ['nobody', 'goop://nobody/', 'This link leads nowhere: goop://nobody/'],
    ['a chat', 'xmpp:ann@example.org', 'Goop2 doesn’t open links that start with xmpp:'],
  ])
    test(`a link is not silent: ${href}`, async () => {
      await wants(name.replace(' ', '-'), `<a href="${href}">this</a>`)
      await window.says(says)
      await window.press('button', 'Dismiss this notice')
    })

  test('a page of the web within a page leads nowhere, and nobody is asked', async () => {
    await wants('a-film', '<iframe src="https://example.org/film"></iframe> <a href="goop://nobody/">this</a>')
    // The first notice stays until it is dismissed.
    await window.says('This link leads nowhere')
    await window.press('button', 'Dismiss this notice')
  })

  test('a file is not saved, and a notice says so', async () => {
    await wants('a-file', '<a download="x.txt" href="index.html">this</a>')
    await window.says('This page wants to save a file.')
    await window.press('button', 'Dismiss this notice')
  })
})

describe('a second start', () => {
  test('ends at once, and the first stays', async () => {
    const pid = await pidOfWindow()
    await startAgain()
    assert.equal(await pidOfWindow(), pid)
  })

  test('for another folder asks before it switches', async () => {
    const other = join(user.home, 'workshop')
    await mkdir(other)
    await writeFile(join(other, 'goop.json'), JSON.stringify({ profile: { label: 'The workshop' } }))
    await startAgain('window', other)
    await window.find('dialog', 'Switch to another site?')
    await window.anew(() => window.press('button', 'Switch'))
    await window.says('Hello, The workshop')
    await neighbour.event((event) => event.event === 'peer' && event.label === 'The workshop' && event.state === 'online')
  })

  test('and your sites are a list to switch by', async () => {
    neighbour.forget()
    await window.press('button', 'Online: your sites')
    await window.anew(() => window.press('button', 'Switch to Mira the Second'))
    await window.says('Hello, Mira the Second')
    await neighbour.event((event) => event.event === 'peer' && event.label === 'Mira the Second' && event.state === 'online')
  })
})
