// The translator in the page: type a sentence, read its translation word by word, and see every attention of the model.
// The same module is the figure and, once more, the worker that computes for it.

import { attentionMaps, MAPS_LOOK } from "./attention_maps.mjs"
import { engine } from "./engine.mjs"
import { choice, figure, h, hint, put, turn } from "./figure.mjs"
import { loading, LOADING_LOOK, megabytes, modelNotes } from "./loading.mjs"
import { produced, PRODUCED_LOOK } from "./produced.mjs"
import { translation } from "./translation.mjs"
import { serve } from "./worker.mjs"

const METHODS = [["greedy", "greedy"], ["beam", "beam of 4"]]

/** Where the text is typed, and the button under it; `ask(text)` is called by the button and by Enter. */
function question(model, ask) {
  const [[name, lang]] = model.get("languages")
  const press = event => {
    if (event.key !== "Enter" || event.shiftKey) return
    event.preventDefault()
    ask(text.value)
  }
  const text = h("textarea", { rows: 2, lang, spellcheck: "false", onkeydown: press })
  const button = h("button", { type: "button", class: "ask", onclick: () => ask(text.value) })
  const node = h("div", { class: "question" }, h("label", {}, h("span", {}, name), text), button)
  return { node, write: value => (text.value = value), label: words => (button.textContent = words) }
}

/** What is shown until the model is there: translations that Python has made. A source is a button that writes it. */
function examples(model, write) {
  const names = model.get("languages")
  const head = h("tr", {}, ...names.map(([name]) => h("th", { scope: "col" }, name)))
  const rows = model.get("examples").map(([source, target]) => {
    const button = h("button", { type: "button", lang: names[0][1], onclick: () => write(source) }, source)
    return h("tr", {}, h("td", {}, button), h("td", { lang: names[1][1] }, target))
  })
  const caption = h("caption", {}, "Translated by this model, with a beam of 4")
  return h("table", { class: "examples" }, caption, h("thead", {}, head), h("tbody", {}, ...rows))
}

function build(model) {
  const size = model.get("size")
  let state = "empty" // then "loading", then "ready"
  let maps = {}
  let fresh = [] // the methods whose maps are those of the sentence that is asked
  let summary = "" // of a new translation, until it has been said

  const asked = question(model, text => {
    const changes = text !== model.get("source")
    put(model, "source", text)
    if (state === "ready" && !changes) begin()
    if (state === "empty") load()
  })
  const progress = loading(size)
  const message = h("p", { class: "message", role: "alert" })
  const lines = Object.fromEntries(METHODS.map(([method, title]) => {
    return [method, produced(title, model.get("languages")[1][1], (kept, typed) => begin(kept, typed))]
  }))
  const method = choice(model, "method", "Maps of", METHODS)
  const attention = attentionMaps(model)
  const before = examples(model, asked.write)
  const after = h(
    "div", { hidden: true },
    h("div", { class: "lines" }, ...Object.values(lines).map(({ node }) => node)), method.node, attention.node,
  )
  const scene = h("div", { class: "scene" }, before, after)
  const nodes = [
    hint("translate a sentence of your own. Then choose a word of the translation and type another in its place."),
    asked.node, progress.node, message, scene,
    ...modelNotes(model),
  ]

  const tell = {
    progress: ({ received }) => {
      state = "loading"
      message.textContent = ""
      progress.update(received)
    },
    ready: () => {
      state = "ready"
      progress.update(null)
      asked.label("Translate")
      before.hidden = true
      after.hidden = false
      begin()
    },
    found: ({ method, ...found }) => {
      lines[method].update(found)
      if (method !== "beam") return
      summary = `Translation: ${found.text}`
      put(model, "translation", found.text)
    },
    maps: ({ method, maps: drawn }) => {
      maps[method] = drawn
      fresh.push(method)
      draw()
    },
    done: () => turn(after, { "aria-busy": false }),
    nothing: () => without("There is nothing to translate yet: type a sentence."),
    stalled: ({ message: words }) => {
      state = "empty" // it may be asked for again, and may still come
      message.textContent = words
    },
    failed: ({ message: words }) => {
      if (state === "loading") state = "empty"
      progress.update(null)
      without(words)
      tell.done()
    },
  }
  const remote = engine(model, tell)
  const load = () => {
    state = "loading"
    progress.update(0)
    message.textContent = ""
    scene.classList.add("open") // now, while the reader expects a change, and not when the model is there
    remote.load()
  }
  const begin = (kept = [], typed = "") => {
    message.textContent = ""
    turn(after, { "aria-busy": true })
    fresh = []
    for (const line of Object.values(lines)) line.age()
    draw()
    remote.ask("translate", { text: model.get("source"), kept, typed })
  }
  /** Say why there is no translation; nothing of an earlier one stays. */
  const without = words => {
    message.textContent = words
    maps = {}
    for (const line of Object.values(lines)) line.update(null)
    draw()
    put(model, "translation", "")
  }
  const draw = () => attention.update(maps[model.get("method")] ?? null, !fresh.includes(model.get("method")))
  const sourceChanged = () => {
    asked.write(model.get("source"))
    if (state === "ready") begin()
  }
  model.on("change:source", sourceChanged)

  asked.write(model.get("source"))
  asked.label(`Load the model (${megabytes(size)} MB) and translate`)
  const update = () => {
    method.update()
    const reading = draw()
    const words = summary || reading
    summary = ""
    return words
  }
  const stop = () => {
    remote.stop()
    model.off("change:source", sourceChanged)
  }
  return { nodes, update, stop }
}

const look = `
.question { align-items: end; display: flex; flex-wrap: wrap; gap: 0.5rem 1rem }
.question label { flex: 1 1 24rem }
textarea { background: var(--bbb-paper); border: 1px solid var(--bbb-line); border-radius: 0.25rem; color: var(--bbb-ink);
  display: block; font: inherit; font-size: 1rem; padding: 0.3rem 0.5rem; resize: vertical; width: 100% }
.ask { min-height: 2.2rem }
.message { font-weight: 600; margin: 0.25rem 0 }
.old { opacity: 0.4 }
.open { min-height: 36rem }
@container (max-width: 40rem) { .open { min-height: 56rem } .words { min-height: 3.8rem } }
.lines { display: grid; gap: 0.5rem 1.5rem; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr));
  margin-bottom: 0.75rem }
.examples th, .examples td { text-align: left; vertical-align: top }
.examples td + td, .examples th + td { padding-top: 0.35rem }
.examples button { background: none; border: 0; padding: 0.15rem 0; text-align: left; text-decoration: underline }
`

export default globalThis.document
  ? figure({
      name: "bbb-translator",
      watch: ["translation", "method", "kind", "layer", "head", "cell"],
      look: PRODUCED_LOOK + MAPS_LOOK + LOADING_LOOK + look,
      build,
    })
  : serve(globalThis, translation)
