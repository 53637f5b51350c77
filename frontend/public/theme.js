// Runs before the first paint, so that a remembered theme never flashes the other one.
(function () {
  var theme = 'system';
  try {
    theme = localStorage.getItem('tailrace.theme') || 'system';
  } catch {
    // Storage is off: follow the system.
  }
  if (theme !== 'light' && theme !== 'dark') {
    theme = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
  }
  document.documentElement.dataset.theme = theme;
})();
