(function () {
  try {
    var theme = localStorage.getItem("airis.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
    var locale = localStorage.getItem("airis.locale");
    var korean = locale ? locale === "ko" : /^ko\b/i.test(navigator.language);
    document.documentElement.lang = korean ? "ko" : "en";
  } catch (error) {
    // Storage is off: the system's theme and the browser's language stand.
    document.documentElement.lang = /^ko\b/i.test(navigator.language) ? "ko" : "en";
  }
})();
