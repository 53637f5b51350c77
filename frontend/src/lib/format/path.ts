/** "chat/4f2a/turns" -> { folder: "chat/4f2a/", leaf: "turns" } */
export function splitPath(path: string): { folder: string; leaf: string } {
  const cut = path.lastIndexOf('/') + 1;
  return { folder: path.slice(0, cut), leaf: path.slice(cut) };
}

/**
 * Why the server would refuse a path, where asking does not tell: a browser and curl take such parts
 * out of an address, and what is left is another. Null: they do not.
 */
export function foldedPath(path: string): string | null {
  const folds = path.split('/').some((part) => part === '.' || part === '..');
  return folds ? 'path: the segments "." and ".." are not allowed' : null;
}

/** Where clients of the protocol reach a stream. */
export function streamUrl(dataUrl: string, path: string): string {
  return `${dataUrl}/v1/stream/${path.split('/').map(encodeURIComponent).join('/')}`;
}

/** The part of an offset that differs from row to row: "0000000000000000_0000000000018402" -> "018402". */
export function offsetTail(offset: string): string {
  const position = offset.slice(offset.indexOf('_') + 1);
  const digits = position.replace(/^0+(?=\d)/, '');
  return digits.padStart(Math.min(6, position.length), '0');
}

/** Splits an offset into its leading zeros and what counts. */
export function offsetParts(offset: string): { zeros: string; rest: string } {
  const rest = offset.slice(offset.indexOf('_') + 1).replace(/^0+(?=\d)/, '');
  return { zeros: offset.slice(0, offset.length - rest.length), rest };
}
