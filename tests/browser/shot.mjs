// A picture of one page of the window of a peer that runs: `node shot.mjs OPEN_URL PAGE FILE`. The lab draws with it.

import { launch, profile, Window } from './lib/browser.mjs'

const [url, name, file] = process.argv.slice(2)
const browser = await launch()
const context = await profile(browser, { viewport: { width: 1120, height: 1100 }, reducedMotion: 'reduce' })
// A lab is busy, and nothing is measured here.
context.setDefaultTimeout(60_000)
const page = await context.newPage()
await page.goto(url)
await new Window(page).show(name)
await page.screenshot({ path: `${file}.png` })
await browser.close()
