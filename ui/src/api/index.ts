// The one interface between the UI and the peer. Three implementations: the desktop app (`tauri.ts`), the viewer's own page in a
// browser (`http.ts`) and a mock peer (`mock/`). Views and state know only this file.

import type { Added } from './types/Added';
import type { Backup } from './types/Backup';
import type { Clash } from './types/Clash';
import type { Closing } from './types/Closing';
import type { Denied } from './types/Denied';
import type { Details } from './types/Details';
import type { Failure } from './types/Failure';
import type { Format } from './types/Format';
import type { FindLook } from './types/FindLook';
import type { Host } from './types/Host';
import type { Key } from './types/Key';
import type { LogLine } from './types/LogLine';
import type { Navigated } from './types/Navigated';
import type { NewColumn } from './types/NewColumn';
import type { Note } from './types/Note';
import type { PeerReach } from './types/PeerReach';
import type { Place } from './types/Place';
import type { Plan } from './types/Plan';
import type { Policy } from './types/Policy';
import type { Progress } from './types/Progress';
import type { Qr } from './types/Qr';
import type { Refused } from './types/Refused';
import type { Rows } from './types/Rows';
import type { RowsQuery } from './types/RowsQuery';
import type { Saved } from './types/Saved';
import type { Session } from './types/Session';
import type { Settings } from './types/Settings';
import type { Shell } from './types/Shell';
import type { SiteFiles } from './types/SiteFiles';
import type { SiteText } from './types/SiteText';
import type { Snapshot } from './types/Snapshot';
import type { Starter } from './types/Starter';
import type { TableInfo } from './types/TableInfo';
import type { Template } from './types/Template';
import type { Undo } from './types/Undo';

export type { Added, Backup, Clash, Plan, Progress, SiteFiles, SiteText, Starter, Template };
export type { Closing, Denied, Details, Failure, FindLook, Host, Key, LogLine, Navigated, Note, PeerReach, Place, Qr, Refused, Session, Settings, Shell, Snapshot };
export type { Format, NewColumn, Policy, Rows, RowsQuery, Saved, TableInfo, Undo };
export type { Ask } from './types/Ask';
export type { BackupTable } from './types/BackupTable';
export type { BlockedPeer } from './types/BlockedPeer';
export type { BrokenLink } from './types/BrokenLink';
export type { ColumnKind } from './types/ColumnKind';
export type { Fact } from './types/Fact';
export type { Group } from './types/Group';
export type { Hosting } from './types/Hosting';
export type { Joined } from './types/Joined';
export type { Live } from './types/Live';
export type { LivePage } from './types/LivePage';
export type { LogLevel } from './types/LogLevel';
export type { Me } from './types/Me';
export type { Network } from './types/Network';
export type { Notice } from './types/Notice';
export type { Path } from './types/Path';
export type { PeerCard } from './types/PeerCard';
export type { Profile } from './types/Profile';
export type { Rendezvous } from './types/Rendezvous';
export type { SiteEntry } from './types/SiteEntry';
export type { SiteProblem } from './types/SiteProblem';
export type { Stage } from './types/Stage';
export type { TableColumn } from './types/TableColumn';
export type { Wish } from './types/Wish';

/**
 * The connection to the peer: `connecting` until the first snapshot, `live`, `lost` while it does not answer (retried
 * automatically), `locked` when it answers but this browser is not signed in.
 */
export type Link = 'connecting' | 'live' | 'lost' | 'locked';

export type Stop = () => void;

export interface Listener {
  snapshot(value: Snapshot): void;
  link(value: Link): void;
}

/** How a window starts: fresh, or where it left off when it reloaded to use ports. */
export interface Opening {
  readonly ports: boolean;
  readonly place: Place | null;
}

/** Every method that can fail rejects with a {@link Refusal}. */
export interface Api {
  session(): Promise<Session>;
  /** Snapshots and the state of the connection, the first immediately, until stopped. */
  subscribe(listener: Listener): Stop;
  /** Try now instead of waiting for the next attempt. */
  reconnect(): void;
  opening(): Opening;
  /**
   * The origin, at a port, of the site of this place, for a window where names under `.localhost` do not resolve. A window that
   * may not frame such origins yet reloads itself at this place, and never gets an answer. `stranger`: of the user's own site, as a
   * stranger sees it.
   */
  origin(place: Place, stranger: boolean): Promise<string>;
  onNavigated(callback: (event: Navigated) => void): Stop;
  /** The place that a typed or pasted text means. */
  place(text: string): Promise<Place>;
  /** Remembers a multiaddr ending in `/p2p/<id>` and resolves to that id. */
  addAddress(address: string): Promise<string>;
  /** An address for `<img>`, or null without a picture. */
  avatar(peer: string, hash: string): Promise<string | null>;
  readonly rendezvous: RendezvousApi;
  readonly network: NetworkApi;
  /** A short text as a QR code. */
  qr(text: string): Promise<Qr>;
  /** What this window remembers for its user under a name; null when there is nothing. */
  preference(name: string): Promise<unknown>;
  prefer(name: string, value: unknown): Promise<void>;
  readonly settings: SettingsApi;
  readonly people: PeopleApi;
  readonly site: SiteApi;
  readonly tables: TablesApi;
  /** The lines of the log from this number on. */
  logs(since: number): Promise<LogLine[]>;
  onDenied(callback: (denied: Denied) => void): Stop;
  /** The page tried to navigate its frame out of Goop2, and was stopped. Of a link that is not the web's, only the scheme may be known. */
  onLeaving(callback: (url: string) => void): Stop;
  /** Opens a web address in the system's browser, after the user agreed. */
  leave(url: string): Promise<void>;
  /** Whether notifications are allowed; asks the user where needed. */
  mayNotify(): Promise<boolean>;
  notify(title: string, text: string): Promise<void>;
  openExternal(url: string): Promise<void>;
  copy(text: string): Promise<void>;
  /** What shows this page, and brings it back when it is loaded again. */
  readonly tab: Tab;
  /** The app around the peer; null in a browser, where the page ends with the peer. */
  readonly shell: ShellApi | null;
}

/** A browser's tab, whose address ends in `#` and a text of ours, or a window with one such text; each entry of its history has a note. */
export interface Tab {
  hash(): string;
  /** Of the current entry; null where the user came by an address. */
  note(): unknown;
  push(hash: string, note: unknown): void;
  replace(hash: string, note: unknown): void;
  /** Another entry became the current one. */
  onMoved(callback: () => void): Stop;
  /** What this tab keeps until it is closed; null at first. */
  kept(): unknown;
  keep(value: unknown): void;
}

/** The app, which outlives its peer. The result of a call is in the next {@link Shell}. */
export interface ShellApi {
  /** The first value immediately, until stopped. */
  subscribe(listener: (value: Shell) => void): Stop;
  /** Something a page wanted and did not get. */
  onRefused(callback: (refused: Refused) => void): Stop;
  /** A page's link for a new window that leads to this place of a site. */
  onOpened(callback: (place: Place) => void): Stop;
  /** A shortcut, pressed wherever the focus is, even in a site. */
  onKey(callback: (key: Key) => void): Stop;
  /** Shows the whole window, sites and all, at this factor; resolves to whether it can. */
  zoom(factor: number): Promise<boolean>;
  /** Opens the window's search bar for what has the focus; or, unless `open`, only changes the look of one that is open. */
  find(look: FindLook, open: boolean): Promise<void>;
  /** Creates a peer with this name, which is not online yet: the stage is then `choosing`. */
  create(name: string): Promise<void>;
  /** Goes online with the peer in a folder, instead of the current one. */
  open(folder: string): Promise<void>;
  goOnline(): Promise<void>;
  goOffline(): Promise<void>;
  /** The question with this number has been answered. */
  answered(number: number): Promise<void>;
  /** Shows the peer's folder in the system's file manager. */
  openFolder(): Promise<void>;
  /** Asks for a folder; null when the user cancels. */
  pickFolder(): Promise<string | null>;
  /** Asks for files; none when the user cancels. */
  pickFiles(): Promise<string[]>;
  /** Files and folders were dropped on the window: their absolute paths. */
  onDropped(callback: (paths: string[]) => void): Stop;
  /** Opens a file or folder of the site, by its path in it, in the program that the system has for it. */
  openFile(path: string): Promise<void>;
  /** Shows a file of the site in the system's file manager; an empty path is the site's folder. */
  showFile(path: string): Promise<void>;
  /** Saves a log in the user's downloads, and resolves to its path. */
  saveLog(text: string): Promise<string>;
  setClosing(closing: Closing): Promise<void>;
  setAutostart(on: boolean): Promise<void>;
  /** Like the window's own close button. */
  close(): Promise<void>;
  /** Hides the window; the tray icon brings it back. */
  hide(): Promise<void>;
  quit(): Promise<void>;
  /** A notification of the desktop. */
  notify(title: string, body: string): Promise<void>;
}

/** The result of a change is in the next snapshots. */
export interface RendezvousApi {
  /** The address that a typed or pasted text means, in canonical form. */
  address(text: string): Promise<string>;
  /** Joins the rendezvous that a text means, and resolves to its address. */
  join(text: string): Promise<string>;
  leave(url: string): Promise<void>;
  host(host: Host): Promise<void>;
  /** Of the administration page hosted here; empty before the first time. */
  password(): Promise<string>;
  /** Requests a confirmation email, adds the address to the profile, and resolves to the server's answer. */
  register(url: string, email: string): Promise<string>;
}

export interface NetworkApi {
  /** Tests again how this peer can be reached; the result is in the next snapshots. */
  test(): Promise<void>;
  /** The facts as text for someone else: with addresses, server names and ids, or without. */
  report(redacted: boolean): Promise<string>;
  /** The connections to a peer, and recent attempts. */
  reach(peer: string): Promise<PeerReach>;
}

/** Each change is checked by the rules of `goop.json`, applied live, and resolves to all settings. */
export interface SettingsApi {
  all(): Promise<Settings>;
  /** Single settings by name in `goop.json`, `section.key`. */
  change(values: Record<string, unknown>): Promise<Settings>;
  /** Replaces all of `goop.json`, based on the text `before`. */
  replace(before: string, text: string): Promise<Settings>;
  /** A PNG of at most 256 KiB, or none. */
  setAvatar(png: Blob | null): Promise<void>;
  /** Makes another identity, with which the peer starts again; the key of the old one is kept. */
  renewIdentity(): Promise<void>;
}

/** A file of a browser, and where it goes below the folder it is added to. */
export interface IncomingFile {
  readonly path: string;
  readonly file: File;
}

/** What is added: files of a browser, or in the window absolute paths of files and folders. */
export type Incoming = readonly IncomingFile[] | readonly string[];

/** An archive: a file of a browser, or in the window its absolute path (of a template also that of a folder). */
export type Source = File | string;

/**
 * Your own site. Paths are relative to its folder, with `/` between names. Codes of refusals: `conflict` where the file changed on
 * disk, `exists` where a name is taken, `not-found`, `invalid`.
 */
export interface SiteApi {
  files(): Promise<SiteFiles>;
  /** A text file in UTF-8 of at most 2 MiB. */
  read(path: string): Promise<SiteText>;
  /** `version` is the one the text was made from, or null for a new file. */
  write(path: string, text: string, version: string | null): Promise<SiteText>;
  makeFolder(path: string): Promise<void>;
  /** Renames or moves a file or folder. */
  move(from: string, to: string): Promise<Undo>;
  /** To the system's bin. */
  remove(paths: readonly string[]): Promise<Undo>;
  undo(id: string): Promise<void>;
  /** Copies files and folders into a folder of the site, `''` for the top. Rejects with an `AbortError` when the signal stops it. */
  add(files: Incoming, into: string, clash: Clash, progress: (done: Progress) => void, signal: AbortSignal): Promise<Added>;
  /** Publishes the folder at this absolute path, where it is, from now on; null for the one inside the peer. */
  setFolder(path: string | null): Promise<void>;
  starters(): Promise<Starter[]>;
  /** What applying a starter or an imported template changes, by its id. */
  plan(starter: string): Promise<Plan>;
  /** What was there is kept as a copy. */
  apply(starter: string): Promise<Undo>;
  /** Reads a template; `apply` with its id applies it. */
  importTemplate(source: Source): Promise<Template>;
  /** Your site as a template for others. */
  exportTemplate(): Promise<Saved>;
  /** Site, tables and settings; with a passphrase also the identity, and all of it encrypted. */
  backup(passphrase: string | null): Promise<Saved>;
  /** Reads a backup. One that is `locked` wants its passphrase. */
  restorePlan(source: Source, passphrase: string | null): Promise<Backup>;
  /** Replaces this peer's site, tables and settings by those of a backup that was read; its identity only if asked to. The peer restarts. */
  restore(id: string, identity: boolean): Promise<void>;
}

export interface PeopleApi {
  note(peer: string, note: Note): Promise<void>;
  details(peer: string): Promise<Details>;
  /** The next visit really tries, even if the last one found nobody a moment ago. */
  tryAgain(peer: string): Promise<void>;
}

/**
 * A cell as it is stored: null, a number or a text. `$int` is a whole number that JavaScript would round, `$cut` the beginning of a
 * long text in a list of rows, `$blob` the length of bytes that are not text.
 */
export type Cell = null | number | string | { $int: string } | { $cut: string; bytes: number } | { $blob: number };

/** The tables of your own site. */
export interface TablesApi {
  all(): Promise<TableInfo[]>;
  rows(query: RowsQuery): Promise<Rows>;
  /** All of one row: no text is cut. */
  row(table: string, id: number): Promise<Cell[]>;
  update(table: string, id: number, values: Record<string, Cell>): Promise<Undo>;
  /** Adds a row of the user's own, and resolves to its id. */
  insert(table: string, values: Record<string, Cell>): Promise<number>;
  remove(table: string, ids: number[]): Promise<Undo>;
  undo(id: string): Promise<void>;
  /** Removes all rows of an author from all tables, and blocks that peer if wanted. */
  removeAuthor(peer: string, block: boolean): Promise<Undo>;
  create(name: string, columns: NewColumn[], policy: Policy): Promise<void>;
  addColumn(table: string, column: NewColumn): Promise<void>;
  setPolicy(table: string, policy: Policy): Promise<void>;
  drop(table: string): Promise<Undo>;
  /** Saves a file with all rows: in the user's downloads, or through the browser. */
  export(table: string, format: Format): Promise<Saved>;
  /** Adds the rows of a file, all of them or none. */
  import(table: string, format: Format, text: string): Promise<Undo>;
  /** The user has looked at the table: nothing in it is new. */
  seen(table: string): Promise<void>;
}

/** A failure in plain words, ready to be shown. */
export class Refusal extends Error implements Failure {
  readonly code: string;

  constructor(failure: Failure) {
    super(failure.message);
    this.name = 'Refusal';
    this.code = failure.code;
  }

  /** Anything thrown, as a refusal: ours unchanged, a serialized failure revived, anything else as `fallback`. */
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
