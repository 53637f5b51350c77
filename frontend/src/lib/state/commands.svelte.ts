import type { Stream } from '$lib/api/types';
import * as format from '$lib/format/curl';
import { streamUrl } from '$lib/format/path';
import { copyText } from './clipboard';
import { connection } from './connection.svelte';

/** The addresses and commands that the page offers for use elsewhere, right for the server that it shows. */
class Commands {
  readonly #to = $derived<format.Target>({
    url: connection.info?.data_url ?? '',
    tokens: connection.stats?.tokens ?? false,
  });
  /** A command works only with a token of the server. */
  readonly wantToken = $derived(this.#to.tokens);
  /** What to do before a command works; empty: nothing. */
  readonly before = $derived(
    this.wantToken ? 'Set TAILRACE_TOKEN to a token of this server first; tailrace token create makes one.' : '',
  );
  /** Root of all streams. */
  readonly root = $derived(`${this.#to.url}/v1/stream`);

  url(path: string): string {
    return streamUrl(this.#to.url, path);
  }

  request(command: format.Command): string {
    return format.curl(this.#to, command);
  }

  append(path: string, contentType: string, json: boolean): string {
    return format.curlAppend(this.#to, path, contentType, json);
  }

  follow(path: string): string {
    return format.curlFollow(this.#to, path);
  }

  repeat({ path, content_type, kind }: Stream, message: Uint8Array): string {
    return format.curlRepeat(this.#to, path, content_type, kind === 'json', message);
  }

  again(seen: format.Seen): string {
    return format.requestCurl(this.#to, seen);
  }

  /** Copies a command and says so. Call it inside a click. */
  copy(command: string): void {
    void copyText(command, 'Copied as curl', this.before);
  }
}

export const commands = new Commands();
