// Where a browser keeps no site data, reading `localStorage` is an error, and the theme and the search stop at it. They
// get a storage that lasts as long as the page. Where there is site data, nothing is touched.
for (const name of ["localStorage", "sessionStorage"]) {
  try {
    window[name].setItem("book", "")
    window[name].removeItem("book")
  } catch {
    const kept = new Map()
    const value = {
      getItem: key => kept.get(String(key)) ?? null,
      setItem: (key, text) => void kept.set(String(key), String(text)),
      removeItem: key => void kept.delete(String(key)),
      clear: () => kept.clear(),
      key: index => [...kept.keys()][index] ?? null,
      get length() {
        return kept.size
      },
    }
    Object.defineProperty(window, name, { configurable: true, value })
  }
}
