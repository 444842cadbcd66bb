// Pictures of the real window and of the pages of a rendezvous server, to be looked at: `npm run shots -- FOLDER`.

import { mkdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import { launch, profile, Window } from './lib/browser.mjs'
import { Peer, removeAll } from './lib/peer.mjs'
import { shootRendezvous } from './shots.rendezvous.mjs'

const folder = resolve(process.argv[2] ?? 'shots')
const sizes = { small: { width: 760, height: 520 }, large: { width: 1120, height: 720 } }

await mkdir(folder, { recursive: true })
const [browser, demo, neighbour, kitchen] = await Promise.all([
  launch(),
  Peer.start('Mira’s corner', { from: 'peers/demo' }),
  Peer.start('Anselm — field notes', { from: 'peers/neighbour' }),
  Peer.start('Kitchen tablet'),
])

/** One picture of each size and colour, of a window that `prepare` brought where it should be. */
async function shoot(name, prepare, { key = true, pictures = 2 } = {}) {
  for (const colorScheme of ['light', 'dark']) {
    for (const [size, viewport] of Object.entries(sizes)) {
      const context = await profile(browser, { colorScheme, viewport, reducedMotion: 'reduce' })
      const page = await context.newPage()
      await page.goto(key ? demo.openUrl : demo.url)
      await prepare(new Window(page))
      // The avatars of those who have one: the demo itself, and the neighbour once it is there.
      await page.waitForFunction((count) => [...document.images].filter((image) => image.naturalWidth > 0).length >= count, pictures)
      await page.mouse.move(0, 0)
      await page.screenshot({ path: `${folder}/${name}-${colorScheme}-${size}.png` })
      await context.close()
    }
  }
}

const rows = (window, name) => window.row('Nearby', name).waitFor()

/** The page in the frame is there. */
async function settled(window) {
  await window.site.getByRole('heading', { level: 1 }).waitFor()
  await window.reload.waitFor()
}

try {
  await shoot('empty', (window) => window.page.getByText('Nobody nearby yet.').waitFor(), { pictures: 1 })
  await shoot('no-token', (window) => window.page.getByRole('heading', { name: 'This browser isn’t signed in' }).waitFor(), { key: false, pictures: 0 })

  await demo.join(neighbour)
  await demo.join(kitchen)
  await shoot('neighbour', async (window) => {
    await rows(window, 'Anselm — field notes')
    await rows(window, 'Kitchen tablet')
  })
  for (const [name, links] of Object.entries({ visit: [], page: ['Autumn field notes'], guestbook: ['Guestbook'] })) {
    await shoot(name, async (window) => {
      await window.row('Nearby', 'Anselm — field notes').click()
      for (const link of links) {
        await window.site.getByRole('link', { name: link }).first().click()
        await window.site.getByRole('heading', { level: 1, name: link }).waitFor()
      }
      await settled(window)
    })
  }
  await shoot('network', (window) => window.show('Network'))
  await shoot('rendezvous', (window) => window.show('Rendezvous'))
  await shoot('own', async (window) => {
    await window.page.getByRole('button', { name: 'Open my site', exact: true }).click()
    await settled(window)
  })
  await shoot('add', async (window) => {
    await window.page.getByRole('complementary').getByRole('button', { name: 'Add by address' }).click()
    await window.page.getByRole('dialog').waitFor()
  })
  await shoot('missing', async (window) => {
    await window.visit(demo, neighbour, '/no-such-page.html')
    await window.search.blur()
    await window.site.getByRole('heading', { name: 'Page not found' }).waitFor()
    await settled(window)
  })

  await kitchen.stop()
  await shoot('offline', async (window) => {
    await window.row('Seen earlier', 'Kitchen tablet').click()
    await window.site.getByRole('heading', { name: 'Not online right now' }).waitFor()
    await settled(window)
  })

  // The last: a window whose peer has ended.
  const context = await profile(browser, { colorScheme: 'light', viewport: sizes.large })
  const window = await Window.open(context, demo)
  await window.row('Nearby', 'Anselm — field notes').click()
  await settled(window)
  await demo.kill()
  await window.page.getByRole('alert').waitFor()
  await window.page.screenshot({ path: `${folder}/lost-light-large.png` })

  await shootRendezvous(browser, folder)
  console.log(`Pictures are in ${folder}`)
} finally {
  await browser.close()
  await removeAll(demo, neighbour, kitchen)
}
