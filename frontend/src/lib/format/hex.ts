export interface HexRow {
  offset: string;
  /** Groups of up to eight bytes, "7b 22 6b …". */
  groups: string[];
  ascii: string;
}

export function hexRows(size: number, width: number): number {
  return Math.ceil(size / width);
}

export function hexRow(bytes: Uint8Array, row: number, width: number): HexRow {
  const start = row * width;
  const slice = bytes.subarray(start, start + width);
  const groups: string[] = [];
  for (let i = 0; i < slice.length; i += 8) {
    groups.push(Array.from(slice.subarray(i, i + 8), byteHex).join(' '));
  }
  return { offset: start.toString(16).padStart(8, '0'), groups, ascii: Array.from(slice, printable).join('') };
}

/** "ff 00 1a": what a row shows of bytes that are not text. */
export function hexPreview(bytes: Uint8Array, limit: number): string {
  const text = Array.from(bytes.subarray(0, limit), byteHex).join(' ');
  return bytes.length > limit ? `${text} …` : text;
}

function byteHex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}

function printable(byte: number): string {
  return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.';
}
