// What is translated: the sentence that is looked into, and the field for another one.

import { h } from "./figure.mjs"
import { loading, megabytes } from "./loading.mjs"

/**
 * The line of the sentences; `ask(text)` is called with what a reader types. `label(state)` writes the button, `progress`
 * shows what has come of the model, `say(words)` what went wrong, `show(text, translation)` what is looked into.
 */
export function sentences(model, ask) {
  const [source, target] = model.get("languages")
  const progress = loading(model.get("size"))
  let typing = false // what a reader has typed and not asked for yet is theirs
  const send = () => {
    typing = false
    ask(field.value)
  }
  const press = event => {
    if (event.key !== "Enter") return
    event.preventDefault()
    send()
  }
  const field = h("input", {
    type: "text",
    lang: source[1],
    spellcheck: "false",
    autocomplete: "off",
    onkeydown: press,
    oninput: () => (typing = true),
    "aria-label": `${source[0]} sentence`,
  })
  const button = h("button", { type: "button", onclick: send })
  const written = h("strong", { lang: target[1] })
  const message = h("p", { class: "message", role: "alert" })
  const node = h(
    "div",
    { class: "asked" },
    h("div", { class: "typed" }, field, button, h("span", { role: "status" }, "→ ", written)),
    progress.node,
    message,
  )
  const label = state => {
    button.disabled = state === "loading"
    button.textContent = {
      empty: `Load the model (${megabytes(model.get("size"))} MB) for your own sentence`,
      loading: "Loading the model …",
      ready: "Translate",
    }[state]
  }
  return {
    node,
    label,
    progress: progress.update,
    say: words => (message.textContent = words),
    show: (text, translation) => {
      if (!typing) field.value = text
      written.textContent = translation
    },
  }
}

export const ASKED_LOOK = `
.asked { margin-bottom: 0.5rem }
.typed { align-items: center; display: flex; flex-wrap: wrap; gap: 0.35rem 0.75rem }
.typed input { flex: 1 1 16rem; font-size: 1rem; min-width: 0; padding: 0.2rem 0.5rem }
.typed strong { overflow-wrap: anywhere }
.message { font-weight: 600; margin: 0.25rem 0; overflow-wrap: anywhere }
`
