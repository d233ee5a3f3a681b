// How far has come what a reader has asked for, and what is to be known of the model.

import { decimals, h } from "./figure.mjs"

export const PATIENCE = 20_000 // ms in which nothing has come: then the reader is told

/** What the reader is told then. Only in a notebook, with Python behind it, has a model `send`. */
export function late(model, what) {
  return model.send
    ? `Python has not sent ${what} yet: its kernel is busy, or has ended. A busy one answers once it is free; after a restart, run the cell again.`
    : `Nothing more of ${what} has come for a while: the connection is slow, or gone. It may still come.`
}

/** How far the model has come; null when it does not come now. */
export function loading(size) {
  const bar = h("progress", { max: size, value: 0, hidden: true, "aria-label": "Loading the model" })
  const shown = h("span", { "aria-hidden": "true" }) // a screen reader reads the bar
  const words = h("span", { role: "status" })
  const node = h("p", { class: "loading" }, words, bar, shown)
  const update = received => {
    bar.hidden = received === null
    bar.value = received ?? 0
    words.textContent = received === null ? "" : "Loading the model"
    shown.textContent = received === null ? "" : `${megabytes(received)} of ${megabytes(size)} MB`
  }
  return { node, update }
}

/** Bytes, in words. */
export function megabytes(bytes) {
  return decimals(bytes / 1e6, 1)
}

/** What the model cannot do, and whose texts it has learned from. */
export function modelNotes(model) {
  return [h("p", {}, model.get("limits")), h("p", { class: "quiet" }, model.get("credit"))]
}

export const LOADING_LOOK = `
.loading { align-items: center; display: flex; flex-wrap: wrap; gap: 0 0.75rem; margin: 0.25rem 0; min-height: 1.5rem }
progress { accent-color: var(--bbb-accent); flex: 0 1 16rem }
`
