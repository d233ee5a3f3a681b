// What every figure that moves is made of: its two mounts, nodes, numbers, controls, and their look.
// Python writes this text in front of each figure's own (modules.py), so that a figure is one module.

/**
 * Register a figure as an element of a page, and return what anywidget asks for.
 *
 * `build(model)` makes the nodes and returns {nodes, update, stop}. `update()` brings them to the model's values and
 * returns what a screen reader is told; `stop()`, if there is one, ends what still runs when the figure is gone. `watch`
 * names the values whose change calls for an update. On a page the model is a `store` of the values beside the element,
 * in a notebook it is anywidget's, and Python sees what is set.
 */
export function figure({ name, watch, look, build }) {
  const mount = (host, model) => {
    const status = h("p", { class: "unseen", role: "status" })
    const { nodes, update, stop } = build(model)
    update()
    const root = host.attachShadow({ mode: "open" }) // last: until all went well, what stands in for the figure is seen
    root.append(h("style", {}, LOOK + look), ...nodes, status)
    let pause
    const changed = () => {
      const words = update()
      clearTimeout(pause) // only where the hand comes to rest is said, not each step of a drag
      pause = setTimeout(() => (status.textContent = words), 400)
    }
    for (const key of watch) model.on(`change:${key}`, changed)
    return () => {
      stop?.()
      clearTimeout(pause)
      for (const key of watch) model.off(`change:${key}`, changed)
    }
  }
  class Element extends HTMLElement {
    connectedCallback() {
      if (this.shadowRoot) return
      try {
        mount(this, store(JSON.parse(this.querySelector("script").textContent)))
      } catch (error) {
        globalThis.figureFailed?.(name, `Uncaught ${error}`) // the page says so beside what stands in for the figure
        throw error
      }
    }
  }
  if (!customElements.get(name)) customElements.define(name, Element)
  return {
    render({ model, el }) {
      const host = h("div", { class: "bbb-live" })
      el.append(host)
      return mount(host, model)
    },
  }
}

/** Values that tell of their changes, as anywidget's model does, without a kernel behind them. */
export function store(values) {
  const events = new EventTarget()
  return {
    get: key => values[key],
    set: (key, value) => {
      values[key] = value
      events.dispatchEvent(new Event(`change:${key}`))
    },
    on: (event, callback) => events.addEventListener(event, callback),
    off: (event, callback) => events.removeEventListener(event, callback),
    save_changes: () => {},
  }
}

/** Set one value of the model and let Python know. */
export function put(model, key, value) {
  model.set(key, value)
  model.save_changes()
}

/**
 * Make an HTML element. An attribute that starts with "on" is a listener; true and false set or leave out, but for ARIA's,
 * whose values they are.
 *
 * A listener for keys is not told of those that an input method takes: with them a reader of Chinese or Japanese composes
 * a word, and an Enter there ends the word and asks for nothing.
 */
export function h(tag, attributes, ...children) {
  return furnish(document.createElement(tag), attributes, children)
}

/** Make an SVG element, in the same way. */
export function svg(tag, attributes, ...children) {
  return furnish(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children)
}

function furnish(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "onkeydown") node.addEventListener("keydown", event => composing(event) || value(event))
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value)
    else if (typeof value !== "boolean" || key.startsWith("aria-")) node.setAttribute(key, value)
    else if (value) node.setAttribute(key, "")
  }
  node.append(...children)
  return node
}

/** Whether a key belongs to an input method. Safari sends the Enter that ends a word after its end, with the code 229. */
function composing(event) {
  return event.isComposing || event.keyCode === 229
}

/** Write attributes anew. */
export function turn(node, attributes) {
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value)
}

/** Write a number for people: so many decimals, a real minus sign, no minus before zero. */
export function decimals(value, digits) {
  const text = value.toFixed(digits)
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−")
}

/** A number on the page: rounded for the eye, whole in its `value`. */
export function number() {
  return h("data", {})
}

/** Let a number show a value. */
export function show(node, value, digits = 3) {
  node.value = value
  node.textContent = decimals(value, digits)
}

/**
 * A token as people see it: without the space before it, a control character as its picture, and any other that cannot be
 * seen as its code point.
 */
export function visible(piece) {
  const text = piece.replace(/^ +| +$/g, "")
  if (!text) return "␣".repeat(Math.max(piece.length, 1))
  return text.replace(INVISIBLE, character => {
    const code = character.codePointAt(0)
    if (code < 32) return String.fromCodePoint(0x2400 + code)
    return code === 127 ? "␡" : `U+${code.toString(16).toUpperCase().padStart(4, "0")}`
  })
}

const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]|(?! )\p{Zs}/gu

/** The sum of the products of two lists. */
export function dot(a, b) {
  return a.reduce((sum, each, index) => sum + each * b[index], 0)
}

/** Weights from scores: the largest is subtracted first, so that no exponential overflows. */
export function softmax(scores) {
  const largest = Math.max(...scores)
  const exponentials = scores.map(score => Math.exp(score - largest))
  const total = exponentials.reduce((sum, each) => sum + each, 0)
  return exponentials.map(each => each / total)
}

/** The line that says what to try. */
export function hint(text) {
  return h("p", { class: "hint" }, h("strong", {}, "Try: "), text)
}

/** A slider for one value of the model. `choices` are the values it passes through; `say` writes one of them. */
export function slider(model, key, label, choices, say = String) {
  const shown = h("span", { class: "shown" })
  const oninput = () => put(model, key, choices[input.value])
  const input = h("input", { type: "range", min: 0, max: choices.length - 1, step: 1, oninput })
  const update = () => {
    const value = model.get(key)
    input.value = choices.indexOf(value)
    shown.textContent = say(value)
    input.setAttribute("aria-valuetext", say(value))
  }
  return { node: h("label", { class: "slider" }, h("span", {}, label), input, shown), update }
}

/** A box to tick for one value of the model. */
export function checkbox(model, key, label) {
  const input = h("input", { type: "checkbox", onchange: () => put(model, key, input.checked) })
  return { node: h("label", { class: "tick" }, input, label), update: () => (input.checked = model.get(key)) }
}

/** A few answers to choose one from, for one value of the model: [[value, label], ...]. */
export function choice(model, key, legend, answers) {
  const name = `${key}-${Math.random()}` // radio buttons of two figures on one page must not belong together
  const inputs = answers.map(([value]) =>
    h("input", { type: "radio", name, value, onchange: () => put(model, key, value) }),
  )
  const labels = answers.map(([, label], index) => h("label", { class: "tick" }, inputs[index], label))
  const update = () => inputs.forEach(input => (input.checked = input.value === String(model.get(key))))
  return { node: h("fieldset", {}, h("legend", {}, legend), ...labels), update }
}

/** The whole numbers from `first` to `last`. */
export function range(first, last) {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index)
}

const LOOK = `
:host { background: var(--bbb-paper); color: var(--bbb-ink); container-type: inline-size; display: block;
  font: 0.875rem/1.4 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", Arial, sans-serif }
* { box-sizing: border-box }
[hidden] { display: none !important }
p { margin: 0 0 0.5rem }
svg { display: block; overflow: visible; width: 100%; height: auto }
svg text { fill: var(--bbb-ink); font-size: 12px }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100% }
th, td { font-weight: 400; padding: 0.15rem 0.4rem; text-align: right }
th:first-child, td:first-child { text-align: left }
thead th { border-bottom: 1px solid var(--bbb-line); vertical-align: bottom }
caption { color: var(--bbb-muted); padding-bottom: 0.25rem; text-align: left }
.quiet { color: var(--bbb-muted) }
.controls { align-items: center; display: flex; flex-wrap: wrap; gap: 0.35rem 1.25rem; margin: 0.5rem 0 }
.slider, .tick { align-items: center; display: inline-flex; gap: 0.5rem; min-height: 1.75rem }
.shown { font-variant-numeric: tabular-nums; min-width: 2.5em }
fieldset { align-items: center; border: 0; display: flex; flex-wrap: wrap; gap: 0 1rem; margin: 0; min-width: 0;
  padding: 0 }
legend { float: left; margin-right: 1rem; padding: 0 }
input, button { accent-color: var(--bbb-accent); font: inherit; margin: 0 }
input[type="checkbox"], input[type="radio"] { flex: none; height: 1.15rem; width: 1.15rem }
input[type="range"] { height: 1.75rem; width: 9rem }
button, input[type="text"] { background: var(--bbb-paper); border: 1px solid var(--bbb-line); border-radius: 0.25rem;
  color: var(--bbb-ink); min-height: 1.75rem; padding: 0.1rem 0.6rem }
button { cursor: pointer }
button:disabled { color: var(--bbb-muted); cursor: default }
:focus-visible { outline: 2px solid var(--bbb-accent); outline-offset: 2px }
.unseen { clip-path: inset(50%); height: 1px; overflow: hidden; position: absolute; white-space: nowrap; width: 1px }
@media (prefers-reduced-motion: reduce) { * { transition: none !important } }
`
