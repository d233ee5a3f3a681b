// A field for a text that a model is asked about, the button that loads the model, and what is to be said of both.

import { engine } from "./engine.mjs"
import { h } from "./figure.mjs"
import { loading, megabytes } from "./loading.mjs"

/**
 * The field of the value `key`, called `label`; `write(value)` sets it to what is typed. Before the model is there, the
 * button or Enter loads it. From then on each change calls `ask(remote)`, which asks the worker, and the button says `again`
 * and calls `restart()`.
 *
 * `answers` holds a function for each kind of answer of the worker (engine.mjs), with `ready(facts)` if it has use for them;
 * `failed()` is called for a text that the model refuses. Returns {nodes, begin, isReady, stop}: `begin()` asks anew.
 */
export function prompt(model, { key, label, lang, write, again, restart, ask, answers, failed }) {
  const size = model.get("size")
  let state = "empty" // then "loading", then "ready"
  const field = h("input", {
    type: "text",
    lang,
    spellcheck: "false",
    autocomplete: "off",
    autocapitalize: "off",
    oninput: () => write(field.value),
    onkeydown: event => event.key === "Enter" && state === "empty" && load(),
  })
  const button = h("button", { type: "button", class: "ask", onclick: () => (state === "ready" ? restart() : load()) })
  const progress = loading(size)
  const message = h("p", { class: "message", role: "alert" })
  const turnTo = (now, words = "") => {
    state = now
    message.textContent = words
    button.disabled = now === "loading"
    button.textContent = { empty: `Load the model (${megabytes(size)} MB)`, loading: "Loading the model …", ready: again }[now]
    if (now !== "loading") progress.update(null)
  }
  const begin = () => {
    message.textContent = ""
    ask(remote)
  }
  const remote = engine(model, {
    ...answers,
    progress: ({ received }) => {
      turnTo("loading")
      progress.update(received)
    },
    ready: ({ facts }) => {
      turnTo("ready")
      answers.ready?.(facts)
      begin()
    },
    stalled: ({ message: words }) => turnTo("empty", words), // it may be asked for again, and may still come
    failed: ({ message: words }) => {
      if (state === "ready") failed()
      turnTo(state === "loading" ? "empty" : state, words)
    },
  })
  const load = () => {
    turnTo("loading")
    progress.update(0)
    remote.load()
  }
  const changed = () => {
    if (field.value !== model.get(key)) field.value = model.get(key) // Python has set it, or a button
    if (state === "ready") begin()
  }
  turnTo("empty")
  changed()
  model.on(`change:${key}`, changed)
  const stop = () => {
    remote.stop()
    model.off(`change:${key}`, changed)
  }
  const asked = h("div", { class: "prompt" }, h("label", {}, h("span", {}, label), field), button)
  const told = h("div", { class: "told-of-model" }, progress.node, message) // never both: they share their room
  return { nodes: [asked, told], begin, isReady: () => state === "ready", stop }
}

export const PROMPT_LOOK = `
.prompt { align-items: end; display: flex; flex-wrap: wrap; gap: 0.5rem 1rem }
.prompt label { flex: 1 1 18rem }
.prompt input { display: block; font-size: 1rem; padding: 0.3rem 0.5rem; width: 100% }
.ask { min-height: 2.2rem }
.told-of-model { display: grid }
.told-of-model > * { grid-area: 1 / 1 }
.message { font-weight: 600; margin: 0.25rem 0; overflow-wrap: anywhere }
.blank { visibility: hidden }
`
