// Before the first paint, so that a page whose theme was chosen does not flash. Not a module.
try {
  const { theme } = JSON.parse(localStorage.getItem("tandem.preferences") ?? "{}");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // no storage: the system's theme
}
