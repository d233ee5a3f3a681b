// The walk's bar: back, next, where we are, and the stop's sentence.

import { h } from "./figure.mjs"

/** `walk(by)` is called with 1 or -1. `update(stop, stops, link)` shows a stop, from 1; 0 is none yet. */
export function tour(walk) {
  const back = h("button", { type: "button", onclick: () => walk(-1) }, "← Back")
  const next = h("button", { type: "button", onclick: () => walk(1) })
  const counter = h("span", { class: "shown" })
  const said = h("p", { class: "said" })
  const node = h(
    "section",
    { class: "tour", "aria-label": "The walk" },
    h("div", { class: "controls" }, back, next, counter),
    said,
  )
  node.addEventListener("keydown", event => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
    if (!by) return
    event.preventDefault()
    walk(by)
  })
  const update = (stop, stops, link) => {
    const { activeElement } = node.getRootNode()
    const leaves =
      (stop < 2 && activeElement === back) ||
      (stop === stops.length && activeElement === next) ||
      said.contains(activeElement) // the link gives way to another
    back.disabled = stop < 2
    next.disabled = stop === stops.length
    if (leaves) (stop === stops.length ? back : next).focus() // a disabled button hears no arrow keys
    next.textContent = stop ? "Next →" : "Follow a token →"
    counter.textContent = stop ? `${stop} of ${stops.length}` : ""
    const invitation = `${stops.length} stops, from a token of the source to the word that it becomes.`
    said.replaceChildren(...(stop ? [stops[stop - 1].sentence, " ", link] : [invitation]))
    return stop ? `${counter.textContent}. ${said.textContent}` : ""
  }
  return { node, update }
}

export const TOUR_LOOK = `
.tour { background: var(--bbb-paper); border-left: 3px solid var(--bbb-accent); padding-left: 0.75rem }
.tour .controls { margin: 0 0 0.25rem }
.said { margin: 0; min-height: 4.2em }
`
