// Goop.identity: the visitor of this page.

let known;

function get() {
  known ??= request("/api/self").catch((error) => {
    known = undefined;
    throw error;
  });
  return known;
}

Goop.identity = {
  get,
  id: async () => (await get()).id,
  label: async () => (await get()).label,
  email: async () => (await get()).email,
  refresh() {
    known = undefined;
  },
};
