// Formulas keep the place that was reserved for them until they and their fonts are there: one step, not three.
addEventListener("load", async () => {
  await window.MathJax?.startup?.promise
  await document.fonts.ready
  document.documentElement.classList.add("formulas-drawn")
})
