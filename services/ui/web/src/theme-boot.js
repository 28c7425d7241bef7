// Runs before the first paint, as a blocking script of its own (see vite.config.ts); types are checked, nothing is imported.
(() => {
  const preferred = /^ko\b/i.test(navigator.language) ? "ko" : "en";
  const root = document.documentElement;
  try {
    const theme = localStorage.getItem("airis.theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    const locale = localStorage.getItem("airis.locale");
    root.lang = locale === "en" || locale === "ko" ? locale : preferred;
  } catch {
    // Storage is off: the system's theme and the browser's language stand.
    root.lang = preferred;
  }
})();
