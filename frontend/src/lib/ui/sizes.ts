/** Heights that scripts have to know; each is the token of the same name. */
export const H_ROW = 28;
export const H_THEAD = 28;
export const H_LINE = 20;
export const NARROW = '(max-width: 1040px)';
