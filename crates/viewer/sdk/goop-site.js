// Goop.site: the visitor's own site. Pages of other sites can link to it, but not read it.

async function own(path) {
  const { id } = await request("/api/self");
  const response = await fetch(`/p/${id}/${String(path).replace(/^\/+/, "")}`, { cache: "no-store" });
  if (!response.ok) throw new Error((await response.text()).trim());
  return response;
}

const unavailable = (name) => () =>
  Promise.reject(new Error(`Goop.site.${name} is not available in this version of Goop2. Edit the files in the site's folder instead.`));

Goop.site = {
  read: async (path) => (await own(path)).text(),
  fetch: own,
  files: unavailable("files"),
  upload: unavailable("upload"),
  remove: unavailable("remove"),
};
