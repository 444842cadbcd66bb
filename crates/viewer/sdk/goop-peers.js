// Goop.peers: the peers a site may know about: its owner and its visitor, and the others if the visitor allows it.

/** Milliseconds between requests: the interval at which peers announce themselves. */
const PERIOD = 5000;

let timer;
let known = new Map();

const list = () => request("/api/peers");

function differences(peers, { onUpdate, onRemove }) {
  const now = new Map(peers.map((peer) => [peer.ID, peer]));
  for (const id of known.keys()) if (!now.has(id)) onRemove?.({ type: "remove", peer_id: id });
  for (const [id, peer] of now) {
    if (JSON.stringify(known.get(id)) !== JSON.stringify(peer)) onUpdate?.({ type: "update", peer_id: id, peer });
  }
  known = now;
}

function unsubscribe() {
  clearTimeout(timer);
  timer = undefined;
}

function subscribe(callbacks = {}) {
  unsubscribe();
  let first = true;
  const look = async (mine) => {
    try {
      const peers = await list();
      if (timer !== mine.timer) return;
      if (first) {
        first = false;
        known = new Map(peers.map((peer) => [peer.ID, peer]));
        callbacks.onSnapshot?.(peers);
      } else {
        differences(peers, callbacks);
      }
    } catch (error) {
      if (timer === mine.timer) callbacks.onError?.(error);
    }
    if (timer === mine.timer) schedule(PERIOD);
  };
  const schedule = (delay) => {
    const mine = {};
    timer = mine.timer = setTimeout(() => look(mine), delay);
  };
  schedule(0);
}

Goop.peers = { list, subscribe, unsubscribe };
