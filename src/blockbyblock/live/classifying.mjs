// The classifier answers what is typed, and shows where [CLS] looks. The same module is the figure and, once more, the worker
// that computes for it.

import { classification } from "./classification.mjs"
import { decimals, figure, h, hint, number, put, show, visible } from "./figure.mjs"
import { LOADING_LOOK, modelNotes } from "./loading.mjs"
import { prompt, PROMPT_LOOK } from "./prompt.mjs"
import { serve } from "./worker.mjs"

const CLASSES = 5 // with a row of their own

/** The most probable classes, a row for each; `update` takes [label, probability], the most probable first. */
function classRows() {
  const lines = Array.from({ length: CLASSES }, () => {
    const [name, share, bar] = [h("th", { scope: "row" }), number(), h("div", { class: "share" })]
    return { name, share, bar, node: h("tr", {}, name, h("td", { class: "bars" }, bar), h("td", {}, share)) }
  })
  const heads = [h("th", { scope: "col" }, "class"), h("td", {}), h("th", { scope: "col" }, "p")]
  const node = h(
    "table", { class: "classes" },
    h("thead", {}, h("tr", {}, ...heads)),
    h("tbody", {}, ...lines.map(({ node }) => node)),
  )
  const update = ranked =>
    lines.forEach(({ name, share, bar, node }, index) => {
      const [label, probability] = ranked[index] ?? ["", 0]
      node.hidden = index >= ranked.length
      name.textContent = label
      show(share, probability)
      bar.style.width = `${100 * probability}%`
    })
  return { node, update }
}

/** A choice among 1 to `count`, for the value `key` of the model; 0 stands for `all`, if there is such a choice. */
function numbered(model, key, label, all) {
  const field = h("select", { onchange: () => put(model, key, Number(field.value)) })
  const update = count => {
    const numbers = Array.from({ length: count }, (_, index) => [index + 1, String(index + 1)])
    const options = all ? [[0, all], ...numbers] : numbers
    if (field.options.length !== options.length) {
      field.replaceChildren(...options.map(([value, words]) => h("option", { value }, words)))
    }
    field.value = Math.min(model.get(key), count)
    return Number(field.value)
  }
  return { node: h("label", { class: "tick" }, `${label} `, field), update }
}

/** The pieces of a text, each shaded by a weight, with its number below. */
function shadedPieces() {
  const node = h("ol", { class: "pieces", tabindex: 0, "aria-label": "Tokens, with the weight that [CLS] gives to each" })
  const update = (pieces, weights) =>
    node.replaceChildren(
      ...pieces.map((piece, place) => {
        const weight = number()
        show(weight, weights[place], 2)
        const shade = h("i", { "aria-hidden": true, style: `opacity: ${Math.sqrt(weights[place]) / 2}` }) // pale: the piece stays readable
        return h("li", {}, shade, h("b", {}, visible(piece)), weight)
      }),
    )
  return { node, update }
}

function build(model) {
  const labels = model.get("labels")
  let found = model.get("first") // what is shown: {pieces, probabilities, attention}, of [CLS] alone in `first`
  const classes = classRows()
  const layer = numbered(model, "layer", "Layer")
  const head = numbered(model, "head", "Head", "mean of all")
  const pieces = shadedPieces()
  const scene = h(
    "div", { class: "scene" },
    classes.node,
    h("section", { "aria-label": "Where [CLS] looks" },
      h("p", { class: "title" }, "Where [CLS] looks"),
      h("div", { class: "controls" }, layer.node, head.node), pieces.node),
  )
  const asker = prompt(model, {
    key: "text",
    label: model.get("question"),
    lang: "", // of which language it is, is the question
    write: value => put(model, "text", value),
    again: "First example",
    restart: () => put(model, "text", model.get("first").text),
    ask: remote => remote.ask("classify", { text: model.get("text") }),
    failed: () => {
      scene.classList.add("blank")
      put(model, "answer", "")
    },
    answers: {
      classified: ({ pieces, probabilities, attention }) => {
        scene.classList.remove("blank")
        const ofFirst = attention.map(heads => heads.map(rows => rows[0])) // of all rows that of [CLS]
        found = { pieces, probabilities, attention: ofFirst }
        put(model, "answer", ranked()[0][0])
        update()
      },
    },
  })
  const nodes = [
    hint("load the model and type a number in words. Then look through the heads: which token tells it?"),
    ...asker.nodes,
    scene,
    ...modelNotes(model),
  ]
  const ranked = () => labels.map((label, place) => [label, found.probabilities[place]]).sort((a, b) => b[1] - a[1])

  const update = () => {
    const unknown = !asker.isReady() && model.get("text") !== model.get("first").text
    if (!asker.isReady()) scene.classList.toggle("blank", unknown)
    if (unknown) return ""
    const [first, ...rest] = ranked()
    classes.update([first, ...rest])
    const at = layer.update(found.attention.length) - 1
    const heads = found.attention[at]
    const which = head.update(heads.length)
    const weights = found.pieces.map((_, place) =>
      which ? heads[which - 1][place] : heads.reduce((sum, each) => sum + each[place], 0) / heads.length,
    )
    pieces.update(found.pieces, weights)
    const most = weights.indexOf(Math.max(...weights))
    const looks = `[CLS] looks most at ${visible(found.pieces[most])}, ${decimals(weights[most], 2)}.`
    return `${first[0]}, ${decimals(first[1], 2)}. ${looks}`
  }
  return { nodes, update, stop: asker.stop }
}

const look = `
.scene { display: grid; gap: 0.5rem 2rem; grid-template-columns: repeat(auto-fit, minmax(min(19rem, 100%), 1fr)) }
.classes { align-self: start }
.classes thead td { border-bottom: 1px solid var(--bbb-line) }
.classes tbody tr { height: 1.75rem }
.classes tbody th { max-width: 9rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; width: 9rem }
.classes td:last-child { width: 3.5rem }
.bars { padding: 0; position: relative }
.share { background: var(--bbb-output); height: 0.95rem; left: 0; opacity: 0.75; position: absolute;
  top: calc(50% - 0.475rem); transition: width 0.15s }
.title { font-weight: 700; margin: 0 }
select { background: var(--bbb-paper); border: 1px solid var(--bbb-line); border-radius: 0.25rem; color: var(--bbb-ink);
  font: inherit; min-height: 1.75rem }
.pieces { align-content: start; display: flex; flex-wrap: wrap; gap: 0.35rem; list-style: none; height: 9.75rem;
  margin: 0; overflow: auto; padding: 3px }
.pieces li { border: 1px solid var(--bbb-line); border-radius: 0.2rem; font-variant-numeric: tabular-nums; height: 2.9rem;
  min-width: 2.4rem; overflow-wrap: anywhere; padding: 0.1rem 0.35rem; position: relative; text-align: center }
.pieces i { background: var(--bbb-weights); inset: 0; position: absolute }
.pieces b { display: block; font-size: 1rem; font-weight: 400; position: relative }
.pieces data { display: block; font-size: 0.8125rem; position: relative }
`

export default globalThis.document
  ? figure({
      name: "bbb-classifying",
      watch: ["text", "answer", "layer", "head"],
      look: LOADING_LOOK + PROMPT_LOOK + look,
      build,
    })
  : serve(globalThis, classification)
