// Pictures of the pages of a rendezvous server, on a desktop and on a phone.

import { profile } from './lib/browser.mjs'
import { Peer, removeAll } from './lib/peer.mjs'
import { password, peerId, Rendezvous } from './lib/rendezvous.mjs'

const sizes = { phone: { width: 375, height: 720 }, desk: { width: 1120, height: 720 } }
const mail = 'lena@example.org'

const strangers = [
  { content: 'Lena’s radio', email: mail, addrs: ['/ip4/198.51.100.7/tcp/4001', '/ip6/2001:db8::7/udp/4001/quic-v1'] },
  { content: '<script>alert(1)</script>', email: '<b>@example.org' },
  { content: '\u202Egnp.erutcip — turned around', addrs: ['/ip4/198.51.100.8/tcp/4001'] },
  { content: 'One long word '.repeat(2) + 'W'.repeat(4000) },
  { content: '👩‍👩‍👧‍👦🏳️‍🌈 ❤️‍🔥' },
  { content: '' },
]

export async function shootRendezvous(browser, folder) {
  const [open, members, closed] = await Promise.all([
    Rendezvous.withRelay(),
    Rendezvous.start({ registration_required: true, peer_db_path: 'data/peers.db', external_url: 'https://meet.example.org' }),
    Rendezvous.start({ rendezvous_bind: '127.0.0.1', admin_password: '' }),
  ])
  const peer = await Peer.start('Mira’s corner', { config: { presence: { rendezvous_wan: open.url }, profile: { email: 'mira@example.org' } } })

  /** A picture of the whole page in each size and color, after `prepare`. */
  async function shoot(name, url, prepare = () => {}) {
    for (const colorScheme of ['light', 'dark']) {
      for (const [size, viewport] of Object.entries(sizes)) {
        const context = await profile(browser, { colorScheme, viewport, reducedMotion: 'reduce' })
        const page = await context.newPage()
        await page.goto(url)
        await prepare(page)
        await page.mouse.move(0, 0)
        await page.screenshot({ path: `${folder}/rendezvous-${name}-${colorScheme}-${size}.png`, fullPage: true })
        await context.close()
      }
    }
  }

  // Peers expire without messages.
  const arrive = () => Promise.all(strangers.map((stranger, index) => open.publish({ peerId: peerId(`stranger ${index}`), ...stranger })))
  const signIn = async (page) => {
    await page.getByLabel('Password').fill(password)
    await page.keyboard.press('Enter')
    await page.getByText(/^Up for/).waitFor()
  }

  try {
    await arrive()
    await shoot('public', open.url)
    await shoot('public-code', open.url, (page) => page.getByText('QR code', { exact: true }).click())
    await shoot('public-members', members.url)
    await shoot('public-closed', closed.url)
    await shoot('help', `${open.url}/docs`)

    const ask = (page, email) => page.getByLabel('Email address').fill(email).then(() => page.getByRole('button').click())
    await shoot('register', `${members.url}/register`)
    await shoot('register-problem', `${members.url}/register`, (page) => ask(page, 'me@nowhere'))
    let asked = 0
    await shoot('register-sent', `${members.url}/register`, (page) => ask(page, `mail-${asked++}@example.org`))
    await fetch(`${members.url}/register`, { method: 'POST', body: new URLSearchParams({ email: mail }) })
    const link = /\/verify\?token=\S+/.exec((await members.operator('/logs.json')).at(-1))[0]
    await shoot('confirm', members.url + link)
    await shoot('link-used', `${members.url}/verify?token=used`)

    await shoot('sign-in', `${open.url}/admin`)
    await shoot('admin-off', `${closed.url}/admin`)
    await shoot('admin', `${open.url}/admin`, async (page) => {
      await arrive()
      await signIn(page)
      await page.getByText('2 addresses').last().click()
    })
    await shoot('admin-members', `${members.url}/admin`, signIn)
  } finally {
    await removeAll(peer, open, members, closed)
  }
}
