import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { json } from '@codemirror/lang-json';
import { HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import { unifiedMergeView } from '@codemirror/merge';
import { EditorState, Prec, type Extension } from '@codemirror/state';
import { EditorView, keymap, lineNumbers } from '@codemirror/view';
import { tags } from '@lezer/highlight';

/** The look: the tokens of the page reach into the editor's shadow root. */
const look = EditorView.theme({
  '&': { color: 'var(--text)', backgroundColor: 'transparent', height: '100%', fontSize: 'var(--fs-12)' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': {
    fontFamily: 'var(--font-data)',
    lineHeight: 'var(--lh-text)',
    fontFeatureSettings: '"calt" 0',
    overflow: 'auto',
  },
  '.cm-content': { padding: 'var(--s-2) 0', caretColor: 'var(--text)' },
  '.cm-line': { padding: '0 var(--s-3)' },
  '.cm-gutters': { color: 'var(--text-3)', backgroundColor: 'transparent', border: '0' },
  '.cm-cursor': { borderLeftColor: 'var(--text)' },
  '&.cm-focused .cm-selectionBackground, .cm-selectionBackground': { background: 'var(--accent-soft) !important' },
  '.cm-changedLine, &.cm-merge-b .cm-changedLine': { backgroundColor: 'var(--stored-soft)' },
  '.cm-changedText, &.cm-merge-b .cm-changedText': { background: 'var(--stored-soft)', textDecoration: 'none' },
  '.cm-insertedLine': { textDecoration: 'none', backgroundColor: 'var(--stored-soft)' },
  '.cm-deletedChunk': { backgroundColor: 'var(--fenced-soft)', paddingLeft: 'var(--s-3)' },
  '.cm-deletedChunk .cm-deletedText, .cm-deletedText': { background: 'var(--fenced-soft)' },
  '.cm-deletedLine del, .cm-deletedChunk del': { textDecoration: 'none' },
  '.cm-changedLineGutter': { background: 'var(--stored)' },
  '.cm-deletedLineGutter': { background: 'var(--fenced)' },
  '.cm-collapsedLines': {
    color: 'var(--text-2)',
    background: 'var(--sunken)',
    padding: '2px var(--s-3)',
    fontFamily: 'var(--font-text)',
  },
});

const colours = HighlightStyle.define([
  { tag: tags.propertyName, color: 'var(--json-key)' },
  { tag: tags.string, color: 'var(--json-string)' },
  { tag: tags.number, color: 'var(--json-number)' },
  { tag: [tags.bool, tags.null], color: 'var(--json-atom)' },
  { tag: tags.punctuation, color: 'var(--text-3)' },
]);

const common: Extension = [look, syntaxHighlighting(colours), EditorView.lineWrapping];

/** The browser keeps styles of an editor out of the page's policy only inside a shadow root. */
function rootOf(host: HTMLElement): ShadowRoot {
  return host.shadowRoot ?? host.attachShadow({ mode: 'open', delegatesFocus: true });
}

export interface EditorOptions {
  text: string;
  json: boolean;
  /** Attributes of what a person types into. */
  attributes: Record<string, string>;
  onchange: (text: string) => void;
}

/** An editor of text. Ctrl+Enter belongs to the form around it, Tab leaves it. */
export function openEditor(host: HTMLElement, { text, json: isJson, attributes, onchange }: EditorOptions): EditorView {
  const root = rootOf(host);
  return new EditorView({
    parent: root,
    root,
    doc: text,
    extensions: [
      Prec.highest(keymap.of([{ key: 'Mod-Enter', run: () => true }])),
      history(),
      keymap.of([...defaultKeymap, ...historyKeymap]),
      common,
      isJson ? json() : [],
      EditorView.contentAttributes.of({
        ...attributes,
        spellcheck: 'false',
        autocorrect: 'off',
        autocapitalize: 'off',
      }),
      EditorView.updateListener.of((update) => update.docChanged && onchange(update.state.doc.toString())),
    ],
  });
}

/** What two texts differ in: one below the other, the same parts folded. */
export function openDiff(host: HTMLElement, before: string, after: string, label: string, isJson: boolean): EditorView {
  const root = rootOf(host);
  return new EditorView({
    parent: root,
    root,
    doc: after,
    extensions: [
      EditorState.readOnly.of(true),
      lineNumbers(),
      common,
      isJson ? json() : [],
      EditorView.contentAttributes.of({ 'aria-label': label }),
      unifiedMergeView({
        original: before,
        mergeControls: false,
        gutter: true,
        collapseUnchanged: { margin: 2, minSize: 6 },
        diffConfig: { scanLimit: 500, timeout: 100 },
      }),
    ],
  });
}
