// Types of the Goop2 SDK, for editors: put `/// <reference path="goop.d.ts" />` at the top of a script, next to a copy of this
// file. What each function does, with an example: docs/sdk.md.

/** What a column holds. A whole number beyond ±(2^53 − 1) is a bigint, a BLOB a Uint8Array. */
type GoopValue = string | number | bigint | Uint8Array | null;

/** A row as it is read. */
interface GoopRow {
  _id: number;
  /** The peer ID of its author. */
  _owner: string;
  /** For the owner of the site and the author only; empty for everyone else. */
  _owner_email: string;
  _created_at: string;
  _updated_at: string;
  [column: string]: GoopValue;
}

/** Values to be stored, by column. */
type GoopValues = Record<string, GoopValue | ArrayBuffer | boolean>;

interface GoopQuery {
  /** All, if left out. */
  columns?: string[];
  /** A condition in SQL, with `?` for each of `args`. */
  where?: string;
  args?: GoopValue[];
  limit?: number;
  offset?: number;
}

/** An id of 16 to 64 letters, digits, `-` or `_`: the same write sent again with it happens once. */
interface GoopWrite {
  write?: string;
}

interface GoopTable {
  name: string;
  insert_policy: string;
  created_at: string;
}

interface GoopColumn {
  name: string;
  type: string;
  not_null?: boolean;
  default?: string | null;
}

interface GoopData {
  tables(): Promise<GoopTable[]>;
  describe(table: string): Promise<GoopColumn[]>;
  query(table: string, query?: GoopQuery): Promise<GoopRow[]>;
  insert(table: string, values: GoopValues, options?: GoopWrite): Promise<{ id: number; status: string }>;
  update(table: string, id: number, values: GoopValues, options?: GoopWrite): Promise<{ status: string }>;
  remove(table: string, id: number, options?: GoopWrite): Promise<{ status: string }>;
  /** Calls back when anyone has written the table. Returns what ends it. */
  subscribe(table: string, callback: (event: { table: string }) => void): () => void;
  createTable(name: string, columns: GoopColumn[]): Promise<{ status: string; table: string }>;
  dropTable(table: string): Promise<{ status: string; table: string }>;
  addColumn(table: string, column: GoopColumn): Promise<{ status: string }>;
  /** Goop2 runs no functions of a site: rejects. */
  call(name: string, params?: Record<string, unknown>): Promise<unknown>;
  functions(): Promise<unknown[]>;
}

interface GoopPerson {
  id: string;
  label: string;
  email: string;
  avatar_hash: string;
}

interface GoopIdentity {
  get(): Promise<GoopPerson>;
  id(): Promise<string>;
  label(): Promise<string>;
  email(): Promise<string>;
  /** Forgets what was read: the next call asks again. */
  refresh(): void;
}

interface GoopPeer {
  ID: string;
  Content: string;
  Email: string;
  AvatarHash: string;
  VideoDisabled: boolean;
  LastSeen: string;
}

interface GoopPeers {
  list(): Promise<GoopPeer[]>;
  subscribe(callbacks: {
    onSnapshot?(peers: GoopPeer[]): void;
    onUpdate?(event: { type: "update"; peer_id: string; peer: GoopPeer }): void;
    onRemove?(event: { type: "remove"; peer_id: string }): void;
    onError?(error: Error): void;
  }): void;
  unsubscribe(): void;
}

interface GoopField {
  name: string;
  label?: string;
  type?: string;
  placeholder?: string;
  required?: boolean;
  options?: (string | { value: string; label: string })[];
}

interface GoopForm {
  render(
    element: Element,
    options: {
      table: string;
      fields: GoopField[];
      submitLabel?: string;
      /** One answer per visitor, which they may change. */
      singleResponse?: boolean;
      onDone?(values: Record<string, string>): void;
    },
  ): Promise<void>;
}

interface GoopForms {
  render(target: Element | string, table: string): Promise<void>;
  insertForm(target: Element | string, table: string, onInserted?: (row: { id: number; status: string }) => void): Promise<void>;
}

interface GoopUi {
  toast(message: string | { title?: string; message: string; duration?: number }): void;
  /** `null` when it was canceled. */
  confirm(message: string, title?: string): Promise<true | null>;
  prompt(message: string, value?: string, title?: string): Promise<string | null>;
  theme(): "light" | "dark";
}

interface GoopSite {
  /** The text of a file of the visitor's own site; other sites cannot be read. */
  read(path: string): Promise<string>;
  fetch(path: string): Promise<Response>;
}

interface GoopLog {
  debug(source: string, message: string): void;
  info(source: string, message: string): void;
  warn(source: string, message: string): void;
  error(source: string, message: string): void;
}

/** Each member comes with the script of its name: `<script src="/sdk/goop-data.js"></script>` brings `Goop.data`. */
declare const Goop: {
  data: GoopData;
  identity: GoopIdentity;
  peers: GoopPeers;
  form: GoopForm;
  forms: GoopForms;
  ui: GoopUi;
  site: GoopSite;
  log: GoopLog;
};
