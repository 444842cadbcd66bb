// Every page of a site, found by its links, and what went wrong on each.

/**
 * `root` is the address of the first page, as people open it. Gives a map of paths, each with its status, where it ended and what
 * failed, all relative to the root of the site, so that two hosts of one site can be compared.
 */
export async function crawl(context, root) {
  const page = await context.newPage()
  const pages = new Map()
  const site = {}
  let odd
  const plain = (text) => text.replaceAll(site.origin, '').replaceAll(site.prefix, '')
  page.on('console', (message) => message.type() === 'error' && odd.push(plain(`console: ${message.text()} ${message.location().url}`)))
  page.on('pageerror', (error) => odd.push(plain(`error: ${error}`)))
  page.on('requestfailed', (request) => odd.push(plain(`failed: ${request.url()} ${request.failure()?.errorText}`)))
  page.on('response', (response) => response.status() >= 400 && odd.push(plain(`${response.status()}: ${response.url()}`)))

  const todo = ['/']
  for (let path; (path = todo.shift()) !== undefined; ) {
    if (pages.has(path)) continue
    odd = []
    const first = path === '/'
    if (first) Object.assign(site, place(await settled(page, root)))
    const answer = await page.goto(first ? page.url() : `${site.origin}${site.prefix}${path}`, { waitUntil: 'networkidle' })
    const { links, pictures } = await page.evaluate(() => ({
      links: [...document.querySelectorAll('a[href]')].map((link) => link.href),
      pictures: [...document.images].map((image) => [image.currentSrc, image.naturalWidth]),
    }))
    pages.set(path, { status: answer.status(), at: plain(page.url()), odd, pictures: pictures.map(([url, width]) => [plain(url), width]), text: await page.innerText('body') })
    for (const link of links) {
      const url = new URL(link)
      const within = plain(`${url.origin}${url.pathname}${url.search}`)
      if (url.origin === site.origin && /\/$|\.html$|\/[^./]*$/.test(url.pathname)) todo.push(within || '/')
    }
  }
  await page.close()
  return pages
}

async function settled(page, root) {
  await page.goto(root, { waitUntil: 'networkidle' })
  return page.url()
}

/** Origin of a site, and what stands before the path of its files: nothing, or `/p/<peer id>`. */
function place(url) {
  const { origin, pathname } = new URL(url)
  return { origin, prefix: /^\/p\/[^/]+/.exec(pathname)?.[0] ?? '' }
}
