// Formulas keep the place that was reserved for them until they and their fonts are there: one step, not three.
addEventListener("load", async () => {
  await window.MathJax?.startup?.promise
  await document.fonts.ready
  document.documentElement.classList.add("formulas-drawn")
})

// The search looks a word up in plain objects, which answer to "constructor" or "__proto__" though no page holds the word:
// it then fails, and finds nothing for the other words either. With this prototype they know the words of the book alone.
const WORDS = Object.create(null, { hasOwnProperty: { value: Object.prototype.hasOwnProperty } })
const find = Search.performTermsSearch
Search.performTermsSearch = (...terms) => {
  for (const table of [Search._index.terms, Search._index.titleterms]) Object.setPrototypeOf(table, WORDS)
  return find(...terms)
}
