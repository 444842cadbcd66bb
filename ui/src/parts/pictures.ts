import { createContext } from 'svelte';

/** How an avatar gets its picture; the parts do not know where it comes from. */
export type LoadPicture = (peer: string, hash: string) => Promise<string | null>;

export const [usePictures, providePictures] = createContext<LoadPicture>();
