// Files are dragged from a file manager into the window, with a real mouse.

import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { desktop, Files } from './lib/app.mjs'
import { until } from './lib/driver.mjs'

let user, window, files, site

before(async () => {
  user = await desktop()
  const peer = join(user.peers, 'mira')
  site = join(peer, 'site')
  await mkdir(site, { recursive: true })
  await writeFile(join(site, 'index.html'), '<!doctype html><title>Mine</title><h1>Mine</h1>')
  await writeFile(join(peer, 'goop.json'), JSON.stringify({ profile: { label: 'Mira Sol' } }))
  window = await user.open()
  await window.says('Hello, Mira Sol')
  await window.press('button', 'My site')
  await window.says('Drop files or a folder here')
  files = await Files.start()
})

after(async () => {
  files?.stop()
  await window?.end()
  await user?.remove()
})

/** The middle of the button, where the window has no frame around its page. */
const middle = (name) =>
  until(name, () =>
    window.run((name) => {
      const found = [...document.querySelectorAll('button')].find((button) => button.innerText === name)?.getBoundingClientRect()
      return found && { x: found.x + found.width / 2, y: found.y + found.height / 2 }
    }, name),
  )

const shows = (text) => async () => (await window.text()).includes(text)

test('files and folders that are dropped on the window are added, and taken back', async () => {
  const [loose, holiday] = ['loose ½.txt', 'holiday'].map((name) => join(user.home, name))
  await writeFile(loose, 'loose')
  await mkdir(join(holiday, 'inner'), { recursive: true })
  await writeFile(join(holiday, 'inner/a b.txt'), 'from the marsh')
  await files.drag([loose, holiday], await middle('Drop files or a folder here'), shows('2 files added.'))
  assert.equal(await readFile(join(site, 'loose ½.txt'), 'utf8'), 'loose')
  assert.equal(await readFile(join(site, 'holiday/inner/a b.txt'), 'utf8'), 'from the marsh')
  // What was dropped stays where it was.
  assert.equal(await readFile(loose, 'utf8'), 'loose')
  await window.press('button', 'Undo')
  await until('the end of the file', async () => !(await window.text()).includes('loose ½.txt'))
})

test('one folder can be shared from where it is', async () => {
  const photos = join(user.home, 'photos')
  await mkdir(photos)
  await writeFile(join(photos, 'index.html'), '<!doctype html><title>Photos</title><h1>Of the marsh</h1>')
  await files.drag([photos], await middle('Drop files or a folder here'), shows('Share it from where it is'))
  await window.press('button', 'Share it')
  await window.says(`Your site is ${photos} now.`)
  // The preview is made again when the folder has changed.
  await until('the shared site', () => window.inSite(() => window.run(() => document.body.innerText.includes('Of the marsh'))))
})
