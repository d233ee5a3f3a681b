// Masks on a typed sentence: who may look at whom, the weights that follow, and what a second layer hears.

import { checkbox, choice, decimals, figure, h, hint, put, range, show, slider, softmax } from "./figure.mjs"

const LONGEST = 7 // words of the sentence that are taken
const PAD = "<pad>"

/** The words of the sentence, with padding at one side. */
function tokens(model) {
  const words = model.get("sentence").split(" ").filter(Boolean).slice(0, LONGEST)
  const padding = Array(model.get("padding")).fill(PAD)
  return model.get("side") === "left" ? [...padding, ...words] : [...words, ...padding]
}

/** The score of two tokens: how many different letters they share; padding shares none. */
function score(a, b) {
  if (a === PAD || b === PAD) return 0
  const letters = new Set(b.toLowerCase())
  return [...new Set(a.toLowerCase())].filter(letter => letters.has(letter)).length
}

/** Mask, weights, what each token holds of each other one after two layers, and of whom it has heard by then. */
function masked(model) {
  const names = tokens(model)
  const flipped = new Set(model.get("flipped").map(String))
  const allowed = names.map((_, query) =>
    names.map((name, key) => {
      const open = !(model.get("causal") && key > query) && !(model.get("hide_padding") && name === PAD)
      return open !== flipped.has(`${query},${key}`)
    }),
  )
  const weights = names.map((query, row) => {
    if (!model.get("infinite") && !allowed[row].includes(true)) return names.map(() => 0)
    return softmax(names.map((key, column) => (allowed[row][column] ? score(query, key) : -Infinity)))
  })
  // A token starts as itself; each layer adds the weighted sum to it. 0 times NaN is NaN, as in any matrix product.
  let layers = [names.map((_, row) => names.map((_, column) => Number(row === column)))]
  for (let layer = 0; layer < 2; layer += 1) {
    const before = layers.at(-1)
    const after = before.map((held, row) =>
      held.map((share, column) => weights[row].reduce((sum, weight, key) => sum + weight * before[key][column], share)),
    )
    layers = [...layers, after]
  }
  const looks = (query, key) => query === key || allowed[query][key]
  const heard = names.map((_, query) =>
    names.map((_, key) => names.some((_, between) => looks(query, between) && looks(between, key))),
  )
  return { names, allowed, weights, layers, heard }
}

/** The table of cells to click; it is made anew when there are other tokens. */
function grid(model) {
  const table = h("table", { onkeydown: event => walk(event) })
  let cells = []
  let made = ""
  const flip = (row, column) => {
    const others = model.get("flipped").filter(pair => String(pair) !== `${row},${column}`)
    put(model, "flipped", others.length < model.get("flipped").length ? others : [...others, [row, column]])
  }
  const walk = event => {
    const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }
    if (!(event.key in steps)) return
    event.preventDefault() // the page would scroll
    const row = cells.findIndex(each => each.some(cell => cell.button === event.target))
    const column = cells[row].findIndex(cell => cell.button === event.target)
    const [down, right] = steps[event.key]
    enter(cells[row + down]?.[column + right]?.button)
  }
  const enter = button => {
    if (!button) return
    for (const cell of cells.flat()) cell.button.tabIndex = cell.button === button ? 0 : -1 // one stop of the Tab key
    button.focus()
  }
  const make = names => {
    const cell = (row, column) => {
      const value = h("data", {})
      const choose = () => put(model, "selected", row)
      const press = event => {
        enter(event.currentTarget)
        flip(row, column)
      }
      const first = row === 0 && column === 0
      return { value, button: h("button", { tabindex: first ? 0 : -1, onclick: press, onfocus: choose }, value) }
    }
    cells = names.map((_, row) => names.map((_, column) => cell(row, column)))
    const heads = names.map(name => h("th", { scope: "col", title: name }, h("span", {}, name)))
    const rows = names.map((name, row) =>
      h("tr", {}, h("th", { scope: "row" }, name), ...cells[row].map(({ button }) => h("td", {}, button))),
    )
    const caption = h("caption", {}, "row: query, column: key; 2: heard of in layer 2 only")
    table.replaceChildren(caption, h("thead", {}, h("tr", {}, h("td", {}), ...heads)), h("tbody", {}, ...rows))
  }
  const update = ({ names, allowed, weights, heard }) => {
    if (made !== String(names)) make(names)
    made = String(names)
    cells.forEach((row, query) => {
      row[0].button.closest("tr").classList.toggle("selected", query === model.get("selected"))
      row.forEach(({ button, value }, key) => {
        const open = allowed[query][key]
        const weight = weights[query][key]
        const later = !open && heard[query][key] && query !== key
        show(value, weight, 2)
        value.textContent = open || Number.isNaN(weight) ? value.textContent.replace("0.", ".") : later ? "2" : ""
        const state = open ? `weight ${decimals(weight, 2)}` : later ? "hidden, heard of through two layers" : "hidden"
        button.setAttribute("aria-pressed", open)
        button.setAttribute("aria-label", `${names[query]} looks at ${names[key]}: ${state}`)
        button.className = Number.isNaN(weight) ? "nan" : open ? "open" : "closed"
        button.style.setProperty("--weight", `${Number.isNaN(weight) ? 0 : 55 * weight}%`)
      })
    })
  }
  return { node: h("div", { class: "grid" }, table), update }
}

/** Names in a row, or a word for none. */
function listed(names) {
  return names.length ? names.join(", ") : "nothing"
}

function build(model) {
  const sentence = h("input", { type: "text", maxlength: 80, oninput: () => put(model, "sentence", sentence.value) })
  const reset = h("button", { onclick: () => put(model, "flipped", []) }, "undo single cells")
  const parts = [
    slider(model, "padding", "padding", range(0, 3)),
    choice(model, "side", "on the", [["right", "right"], ["left", "left"]]),
    checkbox(model, "causal", "causal mask"),
    checkbox(model, "hide_padding", "padding mask"),
    checkbox(model, "infinite", "−∞ for hidden scores"),
  ]
  const cells = grid(model)
  const sight = h("p", { class: "result" })
  const trap = h("p", { class: "result" })
  const nodes = [
    hint("hide one cell: layer 2 still hears of its token. Then put the padding on the left, with −∞."),
    h("label", { class: "sentence" }, h("span", {}, `sentence, up to ${LONGEST} words`), sentence),
    h("div", { class: "controls" }, ...parts.map(({ node }) => node), reset),
    h("div", { class: "scene" }, cells.node, h("div", { class: "words" }, sight, trap)),
  ]
  const update = () => {
    const found = masked(model)
    const { names, allowed, layers, heard } = found
    for (const part of [...parts, cells]) part.update(found)
    if (sentence.value !== model.get("sentence")) sentence.value = model.get("sentence")
    reset.disabled = !model.get("flipped").length
    const row = Math.min(model.get("selected"), names.length - 1)
    const seen = names.filter((_, key) => allowed[row][key])
    const late = names.filter((_, key) => key !== row && !allowed[row][key] && heard[row][key])
    const direct = `Row ${row + 1}, ${names[row]}, looks at: ${listed(seen)}.`
    const through = `Through a second layer it also hears of: ${listed(late)}.`
    sight.textContent = names.length ? `${direct} ${through}` : "Type a word or two."
    const spoilt = layers.map(layer => layer.filter(held => held.some(Number.isNaN)).length)
    trap.textContent = `Outputs that are NaN: after one layer ${spoilt[1]} of ${names.length}, after two ${spoilt[2]}.`
    trap.classList.toggle("alarm", spoilt[1] > 0)
    return `${sight.textContent} ${trap.textContent}`
  }
  return { nodes, update }
}

const look = `
.sentence { display: flex; flex-wrap: wrap; gap: 0.25rem 0.75rem; align-items: center }
.sentence input { flex: 1 1 14rem; min-width: 0 }
.scene { display: flex; flex-wrap: wrap; gap: 0.5rem 1.5rem }
.grid { max-width: 100%; overflow-x: auto; padding: 2px }
.words { flex: 1 1 12rem }
table { width: auto }
th, td, th:first-child, td:first-child { padding: 0 }
tbody th:first-child { max-width: 5rem; overflow: hidden; padding-right: 0.5rem; text-overflow: ellipsis;
  white-space: nowrap }
thead th { border: 0; height: 4.75rem; text-align: center; vertical-align: bottom }
thead span { display: inline-block; max-height: 4.75rem; overflow: hidden; padding: 0.25rem 0; text-overflow: ellipsis;
  transform: rotate(180deg); white-space: nowrap; writing-mode: vertical-rl }
tbody button { border-radius: 0; display: block; height: 1.75rem; min-width: 1.75rem; padding: 0; width: 1.75rem;
  font-size: 0.75rem }
@container (min-width: 36rem) {
  tbody button { font-size: 0.8125rem; width: 2.6rem }
  tbody th:first-child { max-width: 8rem }
}
.open { background: color-mix(in srgb, var(--bbb-weights) var(--weight), var(--bbb-paper)) }
.closed { background: repeating-linear-gradient(135deg, var(--bbb-surface) 0 3px,
  color-mix(in srgb, var(--bbb-mask) 35%, var(--bbb-surface)) 3px 4px); font-weight: 700 }
.nan, .alarm { color: var(--bbb-accent); font-weight: 700 }
.nan { border-color: var(--bbb-accent); font-size: 0.6875rem }
.selected th { font-weight: 700 }
button:focus-visible { position: relative; z-index: 1 }
.result { margin: 0.5rem 0 0 }
`

export default figure({
  name: "bbb-masks",
  watch: ["sentence", "padding", "side", "causal", "hide_padding", "infinite", "flipped", "selected"],
  look,
  build,
})
