// The walk's bar: back, next, where we are, and the stop's sentence.

import { h } from "./figure.mjs"

/**
 * `walk(by)` is called with 1 or -1; `aside` is one more button. `update(stop, {stops, invitation}, left, link)` shows a stop, from 1; 0 is
 * none yet. `left` says that something else is looked at: then the bar leads back to the stop.
 */
export function tour(walk, aside) {
  const back = h("button", { type: "button", onclick: () => walk(-1) }, "← Back")
  const next = h("button", { type: "button", class: "next", onclick: () => walk(1) })
  const counter = h("span", { class: "shown" })
  const said = h("p", { class: "said" })
  const onkeydown = event => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
    if (!by) return
    event.preventDefault()
    walk(by)
  }
  const node = h(
    "section",
    { class: "tour", "aria-label": "The walk", onkeydown },
    h("div", { class: "controls" }, back, next, counter, aside),
    said,
  )
  const update = (stop, { stops, invitation }, left, link) => {
    const { activeElement } = node.getRootNode()
    const ends = { first: left || stop < 2, last: !left && stop === stops.length }
    const loses =
      (ends.first && activeElement === back) ||
      (ends.last && activeElement === next) ||
      said.contains(activeElement) // the link gives way to another
    back.disabled = ends.first
    next.disabled = ends.last
    if (loses) (ends.last ? back : next).focus() // a disabled button hears no arrow keys
    next.textContent = left ? `Return to stop ${stop}` : stop ? "Next →" : "Follow a token →"
    counter.textContent = stop && !left ? `${stop} of ${stops.length}` : ""
    const words = left
      ? [`You have left the walk at stop ${stop} of ${stops.length}: something else is open.`]
      : [invitation]
    said.replaceChildren(...(stop && !left ? [stops[stop - 1].sentence, " ", link] : words))
    return stop && !left ? `${counter.textContent}. ${said.textContent}` : ""
  }
  return { node, update }
}

export const TOUR_LOOK = `
.tour { background: var(--bbb-paper); border-left: 3px solid var(--bbb-accent); padding-left: 0.75rem }
.tour .controls { gap: 0.35rem 0.75rem; margin: 0 0 0.25rem }
.tour .shown:empty { display: none }
.said { margin: 0; min-height: 4.2em }
`
