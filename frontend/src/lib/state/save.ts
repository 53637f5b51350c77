/** Whether this page is in the program's own window, which saves files and shows folders where a browser cannot. */
export const inWindow: boolean =
  'chrome' in window && 'webview' in (window.chrome as object)
    ? true
    : 'webkit' in window && 'messageHandlers' in (window.webkit as object);

/** Hands bytes to the browser as a file to keep. */
export function saveBytes(bytes: Uint8Array<ArrayBuffer>, name: string): void {
  const url = URL.createObjectURL(new Blob([bytes], { type: 'application/octet-stream' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Lets the browser save what is at an address by itself, however large it is. */
export function download(url: string, name: string): void {
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
}

/** A name for what a message is kept as: the path's last part, the ordinal and what it is. */
export function messageFile(path: string, ordinal: number, what: 'JSON' | 'text' | 'binary'): string {
  const leaf = (path.split('/').at(-1) ?? '').replace(/[^\w.-]+/g, '_') || 'message';
  return `${leaf}-${ordinal}.${{ JSON: 'json', text: 'txt', binary: 'bin' }[what]}`;
}
