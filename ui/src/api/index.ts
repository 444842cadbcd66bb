// The one port between the UI and whatever runs the peer. Three implementations: the desktop shell (`tauri.ts`), the
// viewer's own page in a browser (`http.ts`) and a pretended peer (`mock.ts`). Views and state know only this file.

import type { Closing } from './types/Closing';
import type { Denied } from './types/Denied';
import type { Details } from './types/Details';
import type { Failure } from './types/Failure';
import type { Host } from './types/Host';
import type { Key } from './types/Key';
import type { LogLine } from './types/LogLine';
import type { Navigated } from './types/Navigated';
import type { Note } from './types/Note';
import type { PeerReach } from './types/PeerReach';
import type { Place } from './types/Place';
import type { Qr } from './types/Qr';
import type { Refused } from './types/Refused';
import type { Session } from './types/Session';
import type { Settings } from './types/Settings';
import type { Shell } from './types/Shell';
import type { Snapshot } from './types/Snapshot';

export type { Closing, Denied, Details, Failure, Host, Key, LogLine, Navigated, Note, PeerReach, Place, Qr, Refused, Session, Settings, Shell, Snapshot };
export type { Ask } from './types/Ask';
export type { BlockedPeer } from './types/BlockedPeer';
export type { Fact } from './types/Fact';
export type { Group } from './types/Group';
export type { Hosting } from './types/Hosting';
export type { Joined } from './types/Joined';
export type { LogLevel } from './types/LogLevel';
export type { Me } from './types/Me';
export type { Network } from './types/Network';
export type { Notice } from './types/Notice';
export type { Path } from './types/Path';
export type { PeerCard } from './types/PeerCard';
export type { Profile } from './types/Profile';
export type { Rendezvous } from './types/Rendezvous';
export type { Stage } from './types/Stage';
export type { Wish } from './types/Wish';

/**
 * Whether the peer can be heard: `connecting` until the first snapshot, `live`, `lost` while it does not answer
 * (attempts go on by themselves), `locked` when it answers but this page has no key to it.
 */
export type Link = 'connecting' | 'live' | 'lost' | 'locked';

export type Stop = () => void;

export interface Listener {
  snapshot(value: Snapshot): void;
  link(value: Link): void;
}

/** How a window begins: anew, or where it left off to look for sites at ports. */
export interface Opening {
  readonly ports: boolean;
  readonly place: Place | null;
}

/** Every method that can fail rejects with a {@link Refusal}. */
export interface Api {
  session(): Promise<Session>;
  /** Snapshots, the first at once, until stopped; and how well they come. */
  subscribe(listener: Listener): Stop;
  /** Try now instead of waiting for the next attempt. */
  reconnect(): void;
  opening(): Opening;
  /**
   * The origin at a port of the site of this place, for a window that finds no names under `.localhost`. A window that may not
   * frame such origins yet opens itself anew, at this place, and gets no answer before.
   */
  origin(place: Place): Promise<string>;
  onNavigated(callback: (event: Navigated) => void): Stop;
  /** Where a typed or pasted text leads. */
  place(text: string): Promise<Place>;
  /** Remembers a multiaddr ending in `/p2p/<id>` and answers that id. */
  addAddress(address: string): Promise<string>;
  /** An address for `<img>`, or null where there is no picture. */
  avatar(peer: string, hash: string): Promise<string | null>;
  readonly rendezvous: RendezvousApi;
  readonly network: NetworkApi;
  /** A short text as a picture for a phone's camera. */
  qr(text: string): Promise<Qr>;
  /** What this window remembers for its user under a name; null when there is nothing. */
  preference(name: string): Promise<unknown>;
  prefer(name: string, value: unknown): Promise<void>;
  readonly settings: SettingsApi;
  readonly people: PeopleApi;
  /** The lines of the log from this number on. */
  logs(since: number): Promise<LogLine[]>;
  onDenied(callback: (denied: Denied) => void): Stop;
  /** The page on show led its frame to the web outside, and was held. */
  onLeaving(callback: (url: string) => void): Stop;
  /** Opens an address of the web, after the user said yes, in the system's browser. */
  leave(url: string): Promise<void>;
  /** Whether messages of the system may be shown; asks the user where that is needed. */
  mayNotify(): Promise<boolean>;
  notify(title: string, text: string): Promise<void>;
  openExternal(url: string): Promise<void>;
  copy(text: string): Promise<void>;
  /** The app around the peer; none in a browser, where the page ends with the peer. */
  readonly shell: ShellApi | null;
}

/** The app, which outlives its peer. What comes of a call is in the next {@link Shell}. */
export interface ShellApi {
  /** The first value at once, until stopped. */
  subscribe(listener: (value: Shell) => void): Stop;
  /** What a page wanted and did not get. */
  onRefused(callback: (refused: Refused) => void): Stop;
  /** A page's link that opens no window, and leads to this place of a site. */
  onOpened(callback: (place: Place) => void): Stop;
  /** One of the user's keys, pressed wherever the focus is, a site included. */
  onKey(callback: (key: Key) => void): Stop;
  /** Looks for a text in what has the focus, with a bar of the window's own. */
  find(): Promise<void>;
  /** Makes a peer of this name and goes online with it. */
  create(name: string): Promise<void>;
  /** Goes online with the peer in a folder, in place of the one that is. */
  open(folder: string): Promise<void>;
  goOnline(): Promise<void>;
  goOffline(): Promise<void>;
  /** The question of this number needs no answer any more. */
  answered(number: number): Promise<void>;
  /** Shows the peer's folder in the system's file manager. */
  openFolder(): Promise<void>;
  /** Saves a log where the user's downloads are, and answers its path. */
  saveLog(text: string): Promise<string>;
  setClosing(closing: Closing): Promise<void>;
  setAutostart(on: boolean): Promise<void>;
  /** As the window's own button for it. */
  close(): Promise<void>;
  /** The window goes, and stays within reach in the tray. */
  hide(): Promise<void>;
  quit(): Promise<void>;
  /** A notification of the desktop. */
  notify(title: string, body: string): Promise<void>;
}

/** What came of a change is in the next snapshots. */
export interface RendezvousApi {
  /** The address that a text typed or pasted means, in its one form. */
  address(text: string): Promise<string>;
  /** Joins what a text means, and answers its address. */
  join(text: string): Promise<string>;
  leave(url: string): Promise<void>;
  host(host: Host): Promise<void>;
  /** For the administration of the one hosted here; empty before the first time. */
  password(): Promise<string>;
  /** Asks for a confirmation mail, puts the address into the profile, and answers what the server says. */
  register(url: string, email: string): Promise<string>;
}

export interface NetworkApi {
  /** Finds out anew how this peer is reached; the next snapshots tell. */
  test(): Promise<void>;
  /** What is known, as a text for somebody else: with addresses, names of servers and ids, or without. */
  report(redacted: boolean): Promise<string>;
  /** How a peer is reached, and what was tried. */
  reach(peer: string): Promise<PeerReach>;
}

/** Each change is checked by the rules of `goop.json`, applied live, and answered with all settings as they are then. */
export interface SettingsApi {
  all(): Promise<Settings>;
  /** Single settings by their names in `goop.json`, `section.key`. */
  change(values: Record<string, unknown>): Promise<Settings>;
  /** All of `goop.json`, made from the text `before`. */
  replace(before: string, text: string): Promise<Settings>;
  /** A PNG of at most 256 KiB, or none. */
  setAvatar(png: Blob | null): Promise<void>;
}

export interface PeopleApi {
  note(peer: string, note: Note): Promise<void>;
  details(peer: string): Promise<Details>;
}

/** A failure in plain words, ready to be shown. */
export class Refusal extends Error implements Failure {
  readonly code: string;

  constructor(failure: Failure) {
    super(failure.message);
    this.name = 'Refusal';
    this.code = failure.code;
  }

  /** What was thrown, as a refusal: ours unchanged, a serialized failure revived, anything else under `fallback`. */
  static from(thrown: unknown, fallback: string): Refusal {
    if (thrown instanceof Refusal) return thrown;
    return new Refusal(isFailure(thrown) ? thrown : { code: 'failed', message: fallback });
  }
}

export function isFailure(value: unknown): value is Failure {
  if (typeof value !== 'object' || value === null) return false;
  const { code, message } = value as Record<string, unknown>;
  return typeof code === 'string' && typeof message === 'string';
}
