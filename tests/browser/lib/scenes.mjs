// Every page the window has, in every state that changes how it looks: where to find it, and how to get there.

const bar = (name) => (page) => page.getByRole('navigation', { name: 'Goop2' }).getByRole('button', { name, exact: true }).click()
const row = (name) => page => page.getByRole('navigation', { name: 'Peers' }).getByRole('button', { name }).first().click()
const about = async (page) => {
  await page.getByRole('navigation', { name: 'Peers' }).getByRole('button', { name: /^(?!About)/ }).first().click({ button: 'right' })
  await page.getByRole('dialog', { name: 'About this peer' }).getByText('Its site may see').waitFor()
}
const then = (...steps) => async (page) => {
  for (const step of steps) await step(page)
}
const button = (name) => (page) => page.getByRole('button', { name, exact: true }).click()
const field = (name, text) => async (page) => {
  await page.getByRole('textbox', { name, exact: true }).fill(text)
  await page.getByRole('textbox', { name, exact: true }).press('Enter')
}
const seen = (text) => (page) => page.getByText(text).first().waitFor()

/** Name, scenario of the mock, and the way there. */
export const scenes = [
  ['welcome', 'still', seen('Here now')],
  ['nobody', 'empty', seen('What to do next')],
  ['many', 'many', seen('Here now')],
  ['long-name', 'names', seen('Hello')],
  ['right-to-left', 'rtl', seen('Hello')],
  ['my-qr', 'still', then(button('QR code of my link'), seen('Whoever has Goop2'))],
  ['notices', 'notice', seen('multicast')],
  ['offline', 'lost', seen('Goop2 is not running')],
  ['gone', 'gone', seen('Goop2 is not running')],
  ['locked', 'locked', seen('This page has no key')],
  ['starting', 'loading', seen('Starting')],
  ['visit', 'still', then(row('Anselm'), (page) => page.frameLocator('iframe').getByRole('heading', { name: 'Field notes' }).waitFor())],
  ['blocked', 'denied', then(row('Anselm'), seen('3 blocked'), button('3 blocked'))],
  ['menu', 'still', then(row('Anselm'), (page) => page.getByRole('toolbar').getByRole('button', { name: 'More' }).click())],
  ['history', 'still', then(row('Anselm'), row('Kitchen'), (page) => page.keyboard.press('Control+h'), seen('Where this window has been'))],
  ['leaving', 'leaving', seen('Leave Goop2?')],
  ['favourites', 'favourites', seen('Favourites')],
  ['add-address', 'still', then((page) => page.getByRole('complementary').getByRole('button', { name: 'Add by address' }).click(), seen('For a computer'))],
  ['about', 'favourites', about],
  ['about-long-name', 'names', about],
  ['about-qr', 'still', then(about, button('QR code'), seen('camera'))],
  ['rendezvous', 'one', then(bar('Rendezvous'), seen('Join a rendezvous'))],
  ['rendezvous-none', 'none', then(bar('Rendezvous'), seen('Join a rendezvous'))],
  ['rendezvous-states', 'states', then(bar('Rendezvous'), seen('Join a rendezvous'))],
  ['rendezvous-hosting', 'hosting', then(bar('Rendezvous'), seen('Open public page'))],
  ['rendezvous-qr', 'hosting', then(bar('Rendezvous'), button('QR code of http://192.168.1.20:8787'), seen('Meet here'))],
  ['rendezvous-register', 'register', then(bar('Rendezvous'), seen('members.example'))],
  ['rendezvous-unreachable', 'unreachable', then(bar('Rendezvous'), seen('Open public page'))],
  ['rendezvous-failed', 'taken', then(bar('Rendezvous'), seen('Port 8787'))],
  ['network', 'home', bar('Network')],
  ['network-report', 'home', then(bar('Network'), button('Copy report…'), seen('For someone who helps'))],
  ['network-hotel', 'hotel', bar('Network')],
  ['network-unplugged', 'unplugged', bar('Network')],
  ['settings', 'still', then(bar('Settings'), seen('Under the hood'))],
  ['settings-desktop', 'desktop', then(bar('Settings'), seen('Under the hood'))],
  ['settings-staying', 'desktop', then(bar('Settings'), (page) => page.getByRole('switch', { name: 'Start when I log in' }).click(), seen('Starting at login changed'))],
  ['settings-trayless', 'trayless', then(bar('Settings'), (page) => page.getByRole('switch', { name: 'Start when I log in' }).scrollIntoViewIfNeeded())],
  ['settings-tab', 'tab', then(bar('Settings'), seen('Under the hood'))],
  ['settings-long-name', 'names', then(bar('Settings'), seen('Under the hood'))],
  ['settings-refused', 'still', then(bar('Settings'), field('Tag', 'a b'), seen('allowed is'))],
  ['settings-undo', 'still', then(bar('Settings'), field('Name', 'Mira'), seen('Name changed'))],
  ['settings-blocked', 'still', then(about, button('Block'), bar('Settings'), (page) => page.getByRole('button', { name: /^Unblock/ }).focus())],
  ['settings-picture', 'still', then(bar('Settings'), picture, seen('Drag the picture'))],
  ['settings-text', 'still', then(bar('Settings'), button('Edit goop.json'), seen('Every setting'))],
  ['peers', 'desktop', then((page) => page.getByRole('button', { name: 'Online: your peers' }).click(), seen('Add a folder'))],
  ['first', 'first', seen('What shall others see')],
  ['stage-offline', 'offline', seen('Go online')],
  ['stage-settings', 'offline', then(button('Settings'), seen('Under the hood'))],
  ['stage-broken', 'broken', then(button('Settings'), seen('Correct it in'))],
  ['settings-sources', 'still', then(bar('Settings'), field('What your own site may use here beside the https web', 'http://192.168.1.20:8123/ http://radio.local'), seen('may use changed'))],
  ['crashed', 'crashed', seen('lost its port')],
  ['ask-visit', 'ask-visit', seen('Visit this peer?')],
  ['ask-connect', 'ask-connect', seen('Join this rendezvous?')],
  ['ask-switch', 'ask-switch', seen('Switch to another peer?')],
  ['ask-close', 'ask-close', seen('Stay online?')],
  ['external', 'external', seen('leads out of Goop2')],
  ['download', 'download', seen('wanted to save a file')],
  ['log', 'still', then(bar('Settings'), button('Show log'), seen('newest last'))],
]

/** Gives a picture of two colours, so that one sees what is cut. */
export async function picture(page, give = (file) => page.locator('input[type=file]').setInputFiles(file)) {
  const png = await page.evaluate(() => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 400 })
    const context = canvas.getContext('2d')
    context.fillStyle = '#d8e6e4'
    context.fillRect(0, 0, 640, 400)
    context.fillStyle = '#4f8a8b'
    context.arc(320, 220, 130, 0, 7)
    context.fill()
    return canvas.toDataURL('image/png').split(',')[1]
  })
  await give({ name: 'me.png', mimeType: 'image/png', buffer: Buffer.from(png, 'base64') })
}

export const sizes = {
  '760×520': { width: 760, height: 520 },
  '1120×720': { width: 1120, height: 720 },
  '1920×1080': { width: 1920, height: 1080 },
}

/** Goes to a scene in a new page of this context. */
export async function show(context, mock, [, scenario, way]) {
  const page = await context.newPage()
  await page.goto(mock.at(scenario))
  await way(page)
  // Fonts, pictures, and whatever the last step moved.
  await page.evaluate(() => document.fonts.ready)
  return page
}
