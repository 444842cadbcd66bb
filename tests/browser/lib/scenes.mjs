// Every page of the window, in every state that changes its appearance, and how to get there.

const bar = (name) => (page) => page.getByRole('navigation', { name: 'Goop2' }).getByRole('button', { name, exact: true }).click()
const row = (name) => page => page.getByRole('navigation', { name: 'Peers' }).getByRole('button', { name }).first().click()
const about = async (page) => {
  await page.getByRole('navigation', { name: 'Peers' }).getByRole('button', { name: /^(?!About)/ }).first().click({ button: 'right' })
  await page.getByRole('dialog', { name: 'About this peer' }).getByText('Let this site see').waitFor()
}
const then = (...steps) => async (page) => {
  for (const step of steps) await step(page)
}
const item = (name) => (page) => page.getByRole('treeitem', { name: new RegExp(`^${name}`) }).click()
const tab = (name) => (page) => page.getByRole('tab', { name }).click()
const table = (name) => (page) => page.getByRole('navigation', { name: 'Tables' }).getByRole('button', { name: new RegExp(`^${name}`) }).click()
const button = (name) => (page) => page.getByRole('button', { name, exact: true }).click()
const field = (name, text) => async (page) => {
  await page.getByRole('textbox', { name, exact: true }).fill(text)
  await page.getByRole('textbox', { name, exact: true }).press('Enter')
}
const seen = (text) => (page) => page.getByText(text).first().waitFor()

/** Name, scenario of the mock, and the way there. */
export const scenes = [
  ['welcome', 'still', seen('Online now')],
  ['nobody', 'empty', seen('What to do next')],
  ['many', 'many', seen('Online now')],
  ['long-name', 'names', seen('Hello')],
  ['right-to-left', 'rtl', seen('Hello')],
  ['my-qr', 'still', then(button('QR code of my link'), seen('Anyone with Goop2'))],
  ['notices', 'notice', seen('multicast')],
  ['offline', 'lost', seen('Goop2 is not running')],
  ['gone', 'gone', seen('Goop2 is not running')],
  ['locked', 'locked', seen('This browser isn’t signed in')],
  ['starting', 'loading', seen('Starting')],
  ['visit', 'still', then(row('Anselm'), (page) => page.frameLocator('iframe').getByRole('heading', { name: 'Field notes' }).waitFor())],
  ['blocked', 'denied', then(row('Anselm'), seen('3 blocked'), button('3 blocked'))],
  ['menu', 'still', then(row('Anselm'), (page) => page.getByRole('toolbar').getByRole('button', { name: 'More' }).click())],
  ['history', 'still', then(row('Anselm'), row('Kitchen'), (page) => page.keyboard.press('Control+h'), seen('Pages you opened in this window'))],
  ['leaving', 'leaving', seen('Leave Goop2?')],
  ['favorites', 'favorites', seen('Favorites')],
  ['add-address', 'still', then((page) => page.getByRole('complementary').getByRole('button', { name: 'Add by address' }).click(), seen('For a computer'))],
  ['about', 'favorites', about],
  ['about-long-name', 'names', about],
  ['about-qr', 'still', then(about, button('QR code'), seen('phone camera'))],
  ['rendezvous', 'one', then(bar('Rendezvous'), seen('Join a rendezvous'))],
  ['rendezvous-none', 'none', then(bar('Rendezvous'), seen('Join a rendezvous'))],
  ['rendezvous-states', 'states', then(bar('Rendezvous'), seen('Join a rendezvous'))],
  ['rendezvous-hosting', 'hosting', then(bar('Rendezvous'), seen('Open public page'))],
  ['rendezvous-qr', 'hosting', then(bar('Rendezvous'), button('QR code of http://192.168.1.20:8787'), seen('Scan to share'))],
  ['rendezvous-register', 'register', then(bar('Rendezvous'), seen('members.example'))],
  ['rendezvous-unreachable', 'unreachable', then(bar('Rendezvous'), seen('Open public page'))],
  ['rendezvous-failed', 'taken', then(bar('Rendezvous'), seen('Port 8787'))],
  ['network', 'home', bar('Network')],
  ['network-report', 'home', then(bar('Network'), button('Copy report…'), seen('For someone who is helping'))],
  ['network-hotel', 'hotel', bar('Network')],
  ['network-unplugged', 'unplugged', bar('Network')],
  ['settings', 'still', then(bar('Settings'), seen('Under the hood'))],
  ['settings-desktop', 'desktop', then(bar('Settings'), seen('Under the hood'))],
  ['settings-staying', 'desktop', then(bar('Settings'), (page) => page.getByRole('switch', { name: 'Start when I log in' }).click(), seen('Start at login changed'))],
  ['settings-trayless', 'trayless', then(bar('Settings'), (page) => page.getByRole('switch', { name: 'Start when I log in' }).scrollIntoViewIfNeeded())],
  ['settings-tab', 'tab', then(bar('Settings'), seen('Under the hood'))],
  ['settings-long-name', 'names', then(bar('Settings'), seen('Under the hood'))],
  ['settings-refused', 'still', then(bar('Settings'), field('Tag', 'a b'), seen('Use 1–63 letters'))],
  ['settings-rendezvous', 'hosting', then(bar('Settings'), (page) => page.getByRole('switch', { name: 'Host a rendezvous' }).focus())],
  ['settings-undo', 'still', then(bar('Settings'), field('Name', 'Mira'), seen('Name changed'))],
  ['settings-blocked', 'still', then(about, button('Block'), bar('Settings'), (page) => page.getByRole('button', { name: /^Unblock/ }).focus())],
  ['settings-picture', 'still', then(bar('Settings'), picture, seen('Drag the picture'))],
  ['settings-text', 'still', then(bar('Settings'), button('Edit goop.json'), seen('Your settings file'))],
  ['sites', 'desktop', then((page) => page.getByRole('button', { name: 'Online: your sites' }).click(), seen('Open an existing site'))],
  ['first', 'first', seen('What name should others see')],
  ['stage-offline', 'offline', seen('Go online')],
  ['stage-site', 'offline', then(button('My site'), seen('View as a visitor'))],
  ['stage-settings', 'offline', then(button('Settings'), seen('Under the hood'))],
  ['stage-broken', 'broken', then(button('Settings'), seen('Fix goop.json'))],
  ['settings-sources', 'still', then(bar('Settings'), field('Extra sources your site may load on this computer', 'http://192.168.1.20:8123/ http://radio.local'), seen('Extra sources changed'))],
  ['crashed', 'crashed', seen('lost its port')],
  ['ask-visit', 'ask-visit', seen('Open a page by')],
  ['ask-connect', 'ask-connect', seen('Join this rendezvous?')],
  ['ask-switch', 'ask-switch', seen('Switch to another site?')],
  ['ask-close', 'ask-close', seen('Stay online?')],
  ['external', 'external', seen('This link leaves Goop2')],
  ['download', 'download', seen('wants to save a file')],
  // Data that repeats keeps no page from opening.
  ['twice', 'twice', seen('Online now')],
  ['twice-rendezvous', 'twice', then(bar('Rendezvous'), seen('Open public page'))],
  ['twice-network', 'twice', then(bar('Network'), (page) => page.getByText('Details of Relay').click(), seen('Test again'))],
  ['twice-settings', 'twice', then(bar('Settings'), seen('Under the hood'))],
  ['twice-sites', 'twice', then(button('Online: your sites'), seen('Open an existing site'))],
  ['twice-connection', 'twice', then(row('Anselm'), (page) => page.getByRole('toolbar').getByRole('button', { name: /^Connection:/ }).click(), seen('Recent attempts'))],
  // Making one's site.
  ['site', 'still', then(bar('My site'), seen('things to look at'))],
  ['site-folder', 'still', then(bar('My site'), item('photos'), (page) => page.keyboard.press('ArrowRight'), seen('heron.mp4'))],
  ['site-problem', 'still', then(bar('My site'), item('_redirects'), (page) => page.getByRole('region', { name: '_redirects' }).getByText('Line 2').waitFor())],
  ['site-several', 'still', then(bar('My site'), item('autumn.html'), (page) => page.keyboard.press('Shift+ArrowDown'), seen('2 files selected'))],
  ['site-menu', 'still', then(bar('My site'), item('autumn.html'), button('More about autumn.html'), seen('Rename…'))],
  ['site-adding', 'still', then(bar('My site'), button('Drop files or a folder here'), (page) => page.getByRole('progressbar', { name: 'Adding files' }).waitFor())],
  ['site-page', 'still', then(bar('My site'), button('New page'), seen('Title'))],
  ['site-move', 'still', then(bar('My site'), item('autumn.html'), button('More about autumn.html'), button('Move…'), seen('The top of your site'))],
  ['site-change', 'tab', then(bar('My site'), button('More actions'), button('Change folder…'), seen('Nothing is copied'))],
  ['site-write', 'still', then(bar('My site'), button('Edit'), (page) => page.getByRole('textbox', { name: 'Text of the page' }).waitFor())],
  ['site-code', 'still', then(bar('My site'), button('Edit'), button('Code'), (page) => page.locator('.cm-lint-marker-warning').waitFor())],
  ['site-find', 'still', then(bar('My site'), button('Edit'), button('Code'), button('Find in this file'), (page) => page.getByRole('textbox', { name: 'Find', exact: true }).waitFor())],
  ['site-conflict', 'site-conflict', then(bar('My site'), button('Edit'), button('Code'), (page) => page.locator('.cm-content').click(), (page) => page.keyboard.type('x'), button('Save'), button('See both'), seen('On the disk'))],
  ['site-unsaved', 'still', then(bar('My site'), button('Edit'), button('Code'), (page) => page.locator('.cm-content').click(), (page) => page.keyboard.type('x'), button('Back to the files'), seen('Keep editing'))],
  ['site-share', 'still', then(bar('My site'), button('Share…'), seen('Network addresses'))],
  ['site-live', 'still', then(bar('My site'), (page) => page.getByRole('button', { name: /reading now/ }).click(), seen('Count visits'))],
  ['site-visitor', 'still', then(bar('My site'), button('View as a visitor'), seen('Read it, and add to it'))],
  ['tables', 'still', then(bar('My site'), tab('Tables'), seen('The heron came back.'))],
  ['tables-many', 'still', then(bar('My site'), tab('Tables'), table('sightings'), seen('Bird'))],
  ['tables-full', 'still', then(bar('My site'), tab('Tables'), table('answers'), seen('93 % full'))],
  ['tables-empty', 'still', then(bar('My site'), tab('Tables'), table('wishes'), seen('No visitor has written'))],
  ['tables-selected', 'still', then(bar('My site'), tab('Tables'), (page) => page.getByRole('gridcell', { name: 'Lovely pictures!' }).first().click(), seen('Author…'))],
  ['tables-cell', 'still', then(bar('My site'), tab('Tables'), (page) => page.getByRole('gridcell', { name: 'Lovely pictures!' }).first().dblclick(), (page) => page.getByRole('grid').getByRole('textbox').waitFor())],
  ['tables-filter', 'still', then(bar('My site'), tab('Tables'), (page) => page.getByRole('searchbox', { name: 'Filter the rows' }).fill('heron'), seen('rows found'))],
  ['tables-menu', 'still', then(bar('My site'), tab('Tables'), button('More about this table'), seen('Import rows…'))],
  ['tables-row', 'still', then(bar('My site'), tab('Tables'), button('New row…'), seen('Add row'))],
  ['tables-new', 'still', then(bar('My site'), tab('Tables'), button('New table…'), seen('Create table'))],
  ['tables-policy', 'still', then(bar('My site'), tab('Tables'), button('Change…'), (page) => page.getByLabel('Visitors add, and see only their own').check(), seen('no longer see'))],
  ['tables-author', 'still', then(bar('My site'), tab('Tables'), (page) => page.getByRole('gridcell', { name: 'Lovely pictures!' }).first().click(), button('Author…'), seen('Block and remove'))],
  ['tables-export', 'still', then(bar('My site'), tab('Tables'), button('Export…'), seen('CSV'))],
  ['tables-import', 'still', then(bar('My site'), tab('Tables'), button('More about this table'), button('Import rows…'), seen('A CSV or JSON file'))],
  ['tables-none', 'empty', then(bar('My site'), tab('Tables'), seen('No tables yet'))],
  ['site-backup', 'still', then(bar('My site'), tab('Backup'), (page) => page.getByRole('checkbox', { name: 'Include my identity' }).check())],
  ['site-new', 'site-new', then(bar('My site'), seen('Photo album'))],
  ['site-starter', 'site-new', then(bar('My site'), (page) => page.getByRole('button', { name: /^Photo album/ }).click(), seen('Replaced'))],
  ['site-empty', 'site-empty', then(bar('My site'), seen('Your site is empty'))],
  ['choosing', 'choosing', seen('Photo album')],
  ['choosing-online', 'choosing', then(button('Later'), seen('Go online?'))],
  ['log', 'still', then(bar('Settings'), button('Show log'), seen('newest last'))],
]

/** Gives a picture of two colors, so that one sees what is cut. */
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
