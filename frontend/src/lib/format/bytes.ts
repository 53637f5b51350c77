const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** 11_800_000 -> { value: "11.8", unit: "MB" }: decimal units, one decimal below a hundred. */
export function byteParts(bytes: number): { value: string; unit: string } {
  let value = bytes;
  let step = 0;
  while (value >= 999.5 && step < UNITS.length - 1) {
    value /= 1000;
    step++;
  }
  const text = step === 0 || value >= 99.95 ? String(Math.round(value)) : value.toFixed(1);
  return { value: text, unit: UNITS[step] ?? 'B' };
}

export function formatBytes(bytes: number): string {
  const { value, unit } = byteParts(bytes);
  return `${value} ${unit}`;
}

export function utf8Length(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** The text of these bytes, or null when they are not UTF-8. A byte order mark is kept. */
export function decodeUtf8(bytes: Uint8Array, cut = false): string | null {
  try {
    // A capped body may end inside a character: streaming leaves that one out.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: cut });
  } catch {
    return null;
  }
}

/** The text with U+FFFD for what is not UTF-8. */
export function decodeLoosely(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}

export function toBase64(bytes: Uint8Array): string {
  const CHUNK = 0x8000;
  let binary = '';
  for (let i = 0; i < bytes.length; i += CHUNK) {
    binary += String.fromCharCode(...bytes.subarray(i, i + CHUNK));
  }
  return btoa(binary);
}

/** The bytes behind base64 text, white space allowed; null when it is not base64. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> | null {
  try {
    return Uint8Array.from(atob(text.replace(/\s+/g, '')), (c) => c.charCodeAt(0));
  } catch {
    return null;
  }
}
