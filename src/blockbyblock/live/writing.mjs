// The language model writes under the reader's hand: what may come next, one of it chosen or drawn, and the text grows. The
// same module is the figure and, once more, the worker that computes for it.

import { distribution, DISTRIBUTION_LOOK, drawable, drawGroup, ROWS, SAMPLING, samplingSliders } from "./distribution.mjs"
import { tokenRows } from "./distribution.mjs"
import { decimals, figure, h, hint, put, visible } from "./figure.mjs"
import { generation } from "./generation.mjs"
import { LOADING_LOOK, modelNotes } from "./loading.mjs"
import { prompt, PROMPT_LOOK } from "./prompt.mjs"
import { strip } from "./tokenizer.mjs"
import { serve } from "./worker.mjs"

const ENDED = { end: "The text has ended.", full: "The model reads no longer text than this." }

function build(model) {
  let pieces = [] // of the vocabulary, once the model is there
  let found = stored(model) // what is shown: {tokens, ids, groups, added, ended}
  let asked = false // whether an answer is on its way: until it is there, nothing may be chosen
  let held = false // while one of two values is set
  let running = false // whether it writes on until the text ends

  const typed = h("span", {})
  const added = h("span", { class: "added" })
  const next = h("span", { class: "next" }, "?")
  const text = h("p", { class: "text", lang: "en" }, typed, added, next)
  const settings = samplingSliders(model)
  const take = place => {
    if (!asked && asker.isReady() && place < found.ids.length) put(model, "chosen", [...model.get("chosen"), found.ids[place]])
  }
  const stopRunning = () => {
    running = false
    label()
  }
  const table = tokenRows(place => {
    stopRunning()
    take(place)
  })
  const result = drawable()
  const draw = () => take(drawGroup(shown().kept).place)
  const shown = () => distribution(found.groups, SAMPLING.map(key => model.get(key)))
  const press = (words, act) => h("button", { type: "button", onclick: act }, words)
  const one = press("draw a token", () => {
    stopRunning()
    draw()
  })
  const all = press("", () => {
    running = !running
    label()
    if (running) draw()
  })
  const label = () => (all.textContent = running ? "stop" : "draw to the end")
  const back = press("one step back", () => {
    stopRunning()
    put(model, "chosen", model.get("chosen").slice(0, -1))
  })
  const ended = h("p", { class: "ended" })
  const scene = h("div", {}, table.node, result.node)
  const asker = prompt(model, {
    key: "beginning",
    label: "Beginning of a text, in English",
    lang: "en",
    write: value => {
      stopRunning()
      held = true
      model.set("chosen", []) // they went on from the beginning before
      held = false
      put(model, "beginning", value)
    },
    again: "Start again",
    restart: () => {
      stopRunning()
      put(model, "chosen", [])
    },
    ask: remote => {
      asked = true
      remote.ask("next", { text: model.get("beginning"), chosen: model.get("chosen") })
    },
    failed: () => {
      asked = false
      stopRunning()
      for (const part of [text, scene]) part.classList.add("blank")
    },
    answers: {
      ready: facts => (pieces = facts.pieces),
      next: answer => {
        asked = false
        text.classList.remove("blank")
        const groups = Array.from(answer.logProbabilities, each => [each, 1])
        const tokens = answer.ids.slice(0, ROWS).map(id => pieces[id])
        const added = answer.text.slice(strip(model.get("beginning")).length)
        found = { tokens, ids: answer.ids, groups, added, ended: answer.ended }
        put(model, "text", answer.text)
        update()
        if (running && !answer.ended) draw()
        else if (running) stopRunning()
      },
    },
  })
  const nodes = [
    hint("load the model, then choose a token, or draw one. What does a temperature of 2 write?"),
    ...asker.nodes,
    text,
    settings.node,
    scene,
    h("div", { class: "controls" }, one, all, back, ended),
    ...modelNotes(model),
  ]
  const went = () => !held && asker.isReady() && asker.begin()
  model.on("change:chosen", went)
  label()

  const update = () => {
    const live = asker.isReady()
    const open = live && !found.ended
    settings.update()
    typed.textContent = strip(model.get("beginning"))
    added.textContent = found.added
    next.hidden = Boolean(found.ended)
    for (const button of [...table.buttons, one, all]) button.disabled = !open
    back.disabled = !live || !model.get("chosen").length
    ended.textContent = found.ended ? ENDED[found.ended] : ""
    const unknown = !live && model.get("beginning") !== model.get("first").beginning
    scene.classList.toggle("blank", unknown || found.ended !== null)
    if (unknown) return ""
    if (found.ended) return `${model.get("text")} ${ended.textContent}`
    const now = shown()
    table.update({ ...now, tokens: found.tokens })
    result.update(now)
    return `${model.get("text")} … Most probable: ${visible(found.tokens[0])}, ${decimals(now.own[0], 2)}.`
  }
  const stop = () => {
    asker.stop()
    model.off("change:chosen", went)
  }
  return { nodes, update, stop }
}

/** What Python has computed for the text to begin with; of its less probable tokens the logits are rounded and counted. */
function stored(model) {
  const { tokens, logits, others } = model.get("first")
  return { tokens, ids: [], groups: [...logits.map(each => [each, 1]), ...others], added: "", ended: null }
}

const look = `
.text { border-left: 3px solid var(--bbb-decoder); font-size: 1.0625rem; margin: 0.25rem 0; min-height: 4.2em;
  overflow-wrap: anywhere; padding-left: 0.6rem; white-space: pre-wrap }
.added { color: var(--bbb-decoder) }
.tokens tbody button { border: 0; max-width: 8rem; min-height: 1.5rem; overflow: hidden; padding: 0; text-align: left;
  text-overflow: ellipsis; white-space: nowrap; width: 100% }
.tokens tbody button:disabled { color: var(--bbb-ink) }
.tokens tbody button:enabled { text-decoration: underline }
.result { min-height: 4.2em }
.ended { margin: 0 }
@container (min-width: 36rem) { .result, .text { min-height: 2.8em } }
`

export default globalThis.document
  ? figure({
      name: "bbb-writing",
      watch: ["beginning", "chosen", "text", "temperature", "top_k", "top_p"],
      look: DISTRIBUTION_LOOK + LOADING_LOOK + PROMPT_LOOK + look,
      build,
    })
  : serve(globalThis, generation)
