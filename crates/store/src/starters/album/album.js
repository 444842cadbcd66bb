// The album: pictures are rows of the table `photos`, which only the owner writes. A row has a small copy for the overview and a
// larger one for the slideshow. Both are made here, from the file that was chosen: what else is in it stays on the owner's computer.

import { about, element, inWords, isOwner, list, tools } from './parts.js'

/** Longest side in pixels, and most letters when written as text: one row must fit into one request. */
const THUMB = { side: 480, letters: 50_000 }
const PICTURE = { side: 1800, letters: 800_000 }
/** Smaller is not worth looking at. */
const SMALLEST_SIDE = 80
const QUALITIES = [0.86, 0.75, 0.6, 0.4]
const SECONDS_PER_SLIDE = 5
/** Pixels a finger moves to turn the page. */
const SWIPE = 50

const at = (id) => document.getElementById(id)
const caption = (row) => row.caption || 'Picture without a caption'
const photos = list(at('photos'), {
  table: 'photos',
  size: 24,
  show: photo,
  keys: ['position', 'caption'],
  order: (a, b) => (b.position ?? 0) - (a.position ?? 0) || b._id - a._id,
  fields: ['_id', '_owner', 'caption', 'position', 'width', 'height', 'thumb'],
})
about()

function photo(row) {
  const image = element('img', { src: row.thumb, alt: caption(row), loading: 'lazy', width: row.width || THUMB.side, height: row.height || THUMB.side })
  const open = element('button', { type: 'button', className: 'photo', onclick: () => start(row._id) }, image)
  const item = element('li', {}, open)
  if (row.caption) item.append(element('p', { className: 'caption', textContent: row.caption }))
  const ratio = row.width > 0 && row.height > 0 ? Math.min(3, Math.max(0.5, row.width / row.height)) : 1
  item.style.setProperty('--ratio', ratio)
  if (isOwner) item.append(tools(row, `“${caption(row)}”`, {
    Caption: () => name(row),
    'Move earlier': () => move(row, -1),
    'Move later': () => move(row, 1),
    Remove: () => photos.remove(row, row.caption ? `“${row.caption}”` : 'this picture'),
  }))
  return item
}

// ---------- The owner: adding, naming, arranging

async function name(row) {
  const text = await Goop.ui.prompt('What is on it?', row.caption ?? '', 'Caption')
  if (text !== null) await change('Caption', row, () => Goop.data.update('photos', row._id, { caption: text.trim() }))
}

/** Changes places with the one before or after. */
async function move(row, by) {
  const order = photos.rows()
  const place = order.findIndex((other) => other._id === row._id)
  const other = order[place + by]
  if (!other) return
  await change(by < 0 ? 'Move earlier' : 'Move later', row, async () => {
    await Goop.data.update('photos', row._id, { position: other.position })
    await Goop.data.update('photos', other._id, { position: row.position })
  })
}

/** Does it, and leaves the keyboard at the button that did it. */
async function change(label, row, act) {
  try {
    await act()
  } catch (error) {
    at('adding').textContent = `It couldn’t be saved. ${inWords(error)}`
  }
  await photos.reload()
  const place = photos.rows().findIndex((other) => other._id === row._id)
  at('photos').children[place]?.querySelector(`[aria-label^="${label} "]`)?.focus()
}

at('choose').addEventListener('change', async (event) => {
  await add([...event.target.files])
  event.target.value = ''
})
if (isOwner) {
  const hasFiles = (event) => event.dataTransfer.types.includes('Files')
  document.addEventListener('dragover', (event) => hasFiles(event) && event.preventDefault())
  document.addEventListener('drop', (event) => {
    if (!hasFiles(event)) return
    event.preventDefault()
    add([...event.dataTransfer.files])
  })
}

/** One after the other, the last first: then the first one chosen is on top. */
async function add(files) {
  const failed = []
  let done = 0
  await photos.loaded
  let position = Math.max(0, ...photos.rows().map((row) => row.position ?? 0))
  for (const file of files.reverse()) {
    at('adding').textContent = `Adding ${done + 1} of ${files.length}…`
    try {
      await Goop.data.insert('photos', { ...(await copies(file)), caption: '', position: ++position })
      done++
    } catch (error) {
      failed.push(`${file.name}: ${inWords(error)}`)
    }
  }
  await photos.reload()
  at('adding').textContent = [`${done} ${done === 1 ? 'picture' : 'pictures'} added.`, ...failed].join(' ')
}

async function copies(file) {
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new Error('this is not a picture that a browser can read.')
  })
  const thumb = scaled(bitmap, THUMB)
  const picture = scaled(bitmap, PICTURE)
  const { width, height } = bitmap
  bitmap.close()
  return { thumb, picture, width, height }
}

/** A copy as a data: address, small enough. */
function scaled(bitmap, { side, letters }) {
  const ratio = Math.min(1, side / Math.max(bitmap.width, bitmap.height))
  const size = { width: Math.max(1, Math.round(bitmap.width * ratio)), height: Math.max(1, Math.round(bitmap.height * ratio)) }
  const canvas = element('canvas', size)
  const pen = canvas.getContext('2d')
  pen.imageSmoothingQuality = 'high'
  pen.fillStyle = '#fff'
  pen.fillRect(0, 0, size.width, size.height)
  pen.drawImage(bitmap, 0, 0, size.width, size.height)
  for (const quality of QUALITIES) {
    const address = canvas.toDataURL('image/jpeg', quality)
    if (address.length <= letters) return address
  }
  if (side <= SMALLEST_SIDE) throw new Error('it can’t be made small enough.')
  return scaled(bitmap, { side: side * 0.75, letters })
}

// ---------- Everyone: the slideshow

const slides = at('slides')
let current
let playing

function start(id) {
  slides.showModal()
  show(id)
  at('next').focus()
}

async function show(id) {
  const order = photos.rows()
  const place = order.findIndex((row) => row._id === id)
  if (place < 0) return slides.close()
  current = id
  at('caption').textContent = order[place].caption ?? ''
  at('count').textContent = `${place + 1} of ${order.length}`
  at('slide').alt = caption(order[place])
  try {
    const [row] = await Goop.data.query('photos', { columns: ['picture'], where: '_id = ?', args: [id] })
    if (current === id) at('slide').src = row.picture
  } catch (error) {
    if (current === id) at('caption').textContent = `This picture couldn’t be loaded. ${inWords(error)}`
  }
}

function step(by) {
  const order = photos.rows()
  const place = order.findIndex((row) => row._id === current)
  if (order.length) show(order[(place + by + order.length) % order.length]._id)
}

function play(on) {
  clearInterval(playing)
  playing = on ? setInterval(() => step(1), SECONDS_PER_SLIDE * 1000) : undefined
  at('play').textContent = on ? 'Pause' : 'Play'
  at('play').setAttribute('aria-pressed', String(on))
}

at('previous').addEventListener('click', () => step(-1))
at('next').addEventListener('click', () => step(1))
at('play').addEventListener('click', () => play(!playing))
at('close').addEventListener('click', () => slides.close())
slides.addEventListener('keydown', ({ key }) => {
  if (key === 'ArrowLeft') step(-1)
  if (key === 'ArrowRight') step(1)
})
slides.addEventListener('close', () => {
  play(false)
  current = undefined
  at('slide').removeAttribute('src')
})

let touched
at('slide').addEventListener('pointerdown', (event) => (touched = event.clientX))
at('slide').addEventListener('pointerup', (event) => {
  const moved = event.clientX - touched
  if (Math.abs(moved) > SWIPE) step(moved > 0 ? -1 : 1)
})
