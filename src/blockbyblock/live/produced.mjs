// A translation as words that can be changed: choose one, type another, and the decoder goes on from there.

import { h, number, show, visible } from "./figure.mjs"

/**
 * What one way to decode has found. `goOn(kept, typed)` is called with the ids before a word that the reader changes and
 * the text that takes its place. `update(found)` shows what `Translator.told` tells; nothing for null. `age()` marks what
 * is shown as that of another sentence, until the next update.
 */
export function produced(title, language, goOn) {
  const words = h("p", { class: "words", lang: language })
  const [score, logProbability] = [number(), number()]
  const numbers = h("p", { class: "quiet numbers" })
  const node = h("section", { class: "produced", "aria-label": title }, h("p", { class: "title" }, title), words, numbers)
  let place // of the word that was chosen last: the keyboard goes on from there

  const word = (found, each) => {
    const given = each.place < found.given
    const onclick = () => {
      place = each.place
      const input = field(found, each)
      button.replaceWith(input)
      input.select()
    }
    const label = `${visible(each.text)}${given ? ", given" : ""}: change`
    const attributes = { type: "button", class: given ? "word given" : "word", "aria-label": label, onclick }
    const button = h("button", { ...attributes, "data-place": each.place }, visible(each.text))
    return button
  }
  const field = (found, each) => {
    const old = each.text.trim()
    const space = each.text.startsWith(" ") ? " " : ""
    const leave = () => {
      const button = word(found, each)
      input.replaceWith(button)
      button.focus()
    }
    const onkeydown = event => {
      const typed = input.value.trim()
      if (event.key === "Escape" || (event.key === "Enter" && !typed)) leave()
      else if (event.key === "Enter") goOn(found.ids.slice(0, each.place), space + typed)
    }
    const input = h("input", { type: "text", value: old, size: Math.max(6, old.length), "aria-label": `In place of ${visible(each.text)}`, onkeydown })
    return input
  }
  const age = () => node.classList.add("old")
  const update = found => {
    node.classList.remove("old")
    const focused = words.matches(":focus-within")
    const spaced = each => (each.text.startsWith(" ") ? [" ", word(found, each)] : [word(found, each)])
    words.replaceChildren(...(found?.words ?? []).flatMap(spaced))
    if (focused) words.querySelector(`[data-place="${place}"]`)?.focus()
    if (found?.ended) {
      show(score, found.score)
      show(logProbability, found.logProbability)
      numbers.replaceChildren("score ", score, ", log-probability ", logProbability, found.finished ? "" : ", cut at the limit")
    } else numbers.replaceChildren(found ? "…" : "")
  }
  return { node, update, age }
}

export const PRODUCED_LOOK = `
.produced { border-left: 3px solid var(--bbb-decoder); padding-left: 0.75rem }
.words { font-size: 1.0625rem; margin: 0; min-height: 2rem }
.words button { border: 0; border-radius: 0; font: inherit; min-height: 1.9rem; min-width: 1rem; padding: 0 0.1rem;
  text-align: left;
  text-decoration: underline dotted var(--bbb-line); text-underline-offset: 0.25em; max-width: 100%; overflow-wrap: anywhere; white-space: normal }
.words button:hover { text-decoration-color: var(--bbb-accent) }
.words button.given { text-decoration: underline 2px var(--bbb-decoder) }
.words input { font: inherit }
.numbers { font-variant-numeric: tabular-nums; margin: 0; min-height: 1.4em }
`
