export interface Toast {
  id: number;
  tone: 'done' | 'failed';
  title: string;
  detail: string;
}

const SHOWN_MS = 5000;
const FAILED_MS = 12000;
const LIMIT = 4;

/** Short words about what an action did. */
class Toasts {
  list = $state.raw<Toast[]>([]);
  #last = 0;

  done(title: string, detail = ''): void {
    this.#add({ id: ++this.#last, tone: 'done', title, detail }, SHOWN_MS);
  }

  failed(title: string, detail = ''): void {
    this.#add({ id: ++this.#last, tone: 'failed', title, detail }, FAILED_MS);
  }

  dismiss(id: number): void {
    this.list = this.list.filter((toast) => toast.id !== id);
  }

  #add(toast: Toast, ms: number): void {
    this.list = [...this.list, toast].slice(-LIMIT);
    setTimeout(() => this.dismiss(toast.id), ms);
  }
}

export const toasts = new Toasts();
