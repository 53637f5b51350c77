// WebKit hands on the system's C locale as it is, which Intl refuses. Libraries that
// ask for the language as soon as they are loaded would then end the whole page.
try {
  Intl.getCanonicalLocales(navigator.language);
} catch {
  Object.defineProperty(navigator, 'language', { value: 'en-US', configurable: true });
}

export {};
