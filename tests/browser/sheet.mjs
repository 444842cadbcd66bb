// Every page in every size, light and dark, on one sheet to be looked at: `npm run sheet -- FOLDER [NAME…]`.

import { mkdir, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { launch, profile } from './lib/browser.mjs'
import { Mock } from './lib/mock.mjs'
import { scenes, show, sizes } from './lib/scenes.mjs'

const [, , dir = 'sheet', ...only] = process.argv
const folder = resolve(dir)
const colours = ['light', 'dark']
const wanted = scenes.filter(([name]) => only.length === 0 || only.includes(name))

await mkdir(folder, { recursive: true })
const [browser, mock] = await Promise.all([launch(), Mock.start()])
const failed = []
try {
  const context = await profile(browser, { reducedMotion: 'reduce' })
  // The first page is made while it is asked for, and nothing is measured here.
  context.setDefaultTimeout(60_000)
  for (const scene of wanted) await shoot(context, scene).catch((error) => failed.push(`${scene[0]}: ${error.message.split('\n')[0]}`))
  await writeFile(`${folder}/index.html`, sheet())
  const page = await browser.newPage({ viewport: { width: 2400, height: 1200 } })
  await page.goto(`file://${folder}/index.html`)
  await page.screenshot({ path: `${folder}/sheet.png`, fullPage: true })
  console.log(`The sheet is ${folder}/index.html, and as one picture ${folder}/sheet.png`)
} finally {
  await browser.close()
  await mock.stop()
}
if (failed.length > 0) {
  console.error(`Not on it:\n${failed.join('\n')}`)
  process.exit(1)
}

async function shoot(context, scene) {
  const page = await show(context, mock, scene)
  await page.mouse.move(0, 0)
  for (const [size, viewport] of Object.entries(sizes)) {
    await page.setViewportSize(viewport)
    await page.evaluate(() => document.querySelector('main :is(input, button):focus')?.scrollIntoView({ block: 'center' }))
    for (const colorScheme of colours) {
      await page.emulateMedia({ colorScheme })
      await page.screenshot({ path: `${folder}/${file(scene[0], colorScheme, size)}` })
    }
  }
  await page.close()
}

function file(name, colorScheme, size) {
  return `${name}-${colorScheme}-${size.replace('×', 'x')}.png`
}

function sheet() {
  const cells = (name) => colours.flatMap((colour) => Object.keys(sizes).map((size) => `<td><a href="${file(name, colour, size)}"><img src="${file(name, colour, size)}" alt="${name}, ${colour}, ${size}"></a>`)).join('')
  const heads = colours.flatMap((colour) => Object.keys(sizes).map((size) => `<th>${colour}, ${size}`)).join('')
  return `<!doctype html><meta charset="utf-8"><title>Goop2: every page</title>
<style>body{font:13px system-ui;background:#888;margin:12px}img{display:block;width:360px}th{text-align:left}td{vertical-align:top}</style>
<table><tr><th>${heads}${wanted.map(([name]) => `<tr><th>${name}${cells(name)}`).join('')}</table>`
}
