import { MediaQuery } from 'svelte/reactivity';
import { NARROW } from './sizes';

/** Whether the window is so narrow that details move below. */
export const narrow = new MediaQuery(NARROW);
