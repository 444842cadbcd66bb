// Paths of the site: relative, with `/` between names.

export const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/** Empty for what is at the top. */
export const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')));

export const joined = (folder: string, name: string): string => (folder ? `${folder}/${name}` : name);

/** Whether a path is a folder or in it. */
export const within = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`);

/** Paths without those that lie in another one of them. */
export const outermost = (paths: readonly string[]): string[] => paths.filter((path) => !paths.some((other) => other !== path && within(path, other)));

/** The longest name that every system can store, in bytes. */
const MAX_NAME = 255;

/** Why no file or folder can have this name; empty where it can. */
export function nameMistake(name: string): string {
  if (name.trim() === '') return 'Enter a name.';
  if (/[/\\]/.test(name)) return 'A name can’t contain “/” or “\\”.';
  if (/[<>:"|?*\p{Cc}]/u.test(name)) return 'Leave out < > : " | ? *, so that the name works on every computer.';
  if (name === '.' || name === '..' || /[. ]$/.test(name)) return 'A name can’t end in a dot or a space.';
  if (new TextEncoder().encode(name).length > MAX_NAME) return 'This name is too long.';
  return '';
}

/** The name of a page's file: of its title, what works in every link. */
export function fileName(title: string): string {
  const plain = title
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .replace(/^-+|-+$/g, '');
  return plain && `${plain.slice(0, 80)}.html`;
}

const TEXT = /\.(html?|css|m?js|json|md|txt|svg|xml|csv|webmanifest|lua|ya?ml|toml|ini|conf)$/i;
const PLAIN = new Set(['_headers', '_redirects', 'robots.txt', 'readme', 'license']);
const PAGE = /\.html?$/i;
const PICTURE = /\.(png|jpe?g|gif|webp|avif|svg|bmp|ico)$/i;
const FILM = /\.(mp4|webm|mov|mkv|ogv|mp3|ogg|wav|flac|m4a|opus)$/i;

/** Can be edited here as text. */
export const isText = (path: string): boolean => TEXT.test(path) || PLAIN.has(nameOf(path).toLowerCase());
export const isPageFile = (path: string): boolean => PAGE.test(path);

export type Kind = 'folder' | 'page' | 'picture' | 'film' | 'text' | 'file';

export function kindOf(path: string, folder: boolean): Kind {
  if (folder) return 'folder';
  if (PAGE.test(path)) return 'page';
  if (PICTURE.test(path)) return 'picture';
  if (FILM.test(path)) return 'film';
  return isText(path) ? 'text' : 'file';
}

/** The address of a file on its site. */
export const urlPath = (path: string): string => `/${path.split('/').map(encodeURIComponent).join('/')}`;
