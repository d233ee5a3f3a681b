// Vectors as strips of colour, a cell for each feature: blue below zero, yellow above, grey at zero. In grey tones the
// order stays: dark, middle, light.

import { h } from "./figure.mjs"

const SHADES = 255

/**
 * A painter for all strips of a figure; `host` is a node of it, whose colours are those of the palette.
 *
 * paint(canvas, numbers, scale, opacity) fills a canvas row by row; `opacity(cell)`, if given, is from 0 to 1.
 */
export function painter(host) {
  let shades
  return (canvas, numbers, scale, opacity) => {
    shades ??= shadesOf(host)
    const context = canvas.getContext("2d")
    const image = context.createImageData(canvas.width, canvas.height)
    const pixels = new Uint32Array(image.data.buffer)
    for (let index = 0; index < pixels.length; index++) {
      const place = Math.min(Math.max(numbers[index] / scale, -1), 1)
      const shade = shades[Math.round(((place + 1) / 2) * (SHADES - 1))]
      pixels[index] = opacity ? (shade & 0xffffff) | (Math.round(255 * opacity(index)) << 24) : shade
    }
    context.putImageData(image, 0, 0)
  }
}

/** A canvas for so many numbers, in rows. A screen reader passes over it: what it shows is said in words beside it. */
export function canvasFor(width, height = 1) {
  return spare[[width, height]]?.pop() ?? h("canvas", { width, height, "aria-hidden": "true" })
}

const spare = {} // by size: a new surface, or another size, takes as long as fifty paintings of one that is there

/** Take the canvases out of what is about to be replaced: others will be drawn on them. */
export function salvage(node) {
  for (const canvas of node.querySelectorAll("canvas")) {
    canvas.remove()
    canvas.className = ""
    ;(spare[[canvas.width, canvas.height]] ??= []).push(canvas)
  }
}

/** Where colours end: 98 of 100 numbers are smaller, and the rest has the full colour. */
export function scaleOf(...vectors) {
  const sizes = vectors.flatMap(vector => Array.from(vector, Math.abs)).sort((a, b) => a - b)
  return sizes[Math.floor(0.98 * (sizes.length - 1))] || 1
}

/** Each cell the number of the largest size among its neighbours: a long vector as a short one that keeps its peaks. */
export function pooled(vector, length) {
  const step = vector.length / length
  return Float32Array.from({ length }, (_, index) => {
    const part = vector.subarray(
      Math.floor(index * step),
      Math.max(Math.floor((index + 1) * step), Math.floor(index * step) + 1),
    )
    return part.reduce((most, each) => (Math.abs(each) > Math.abs(most) ? each : most), 0)
  })
}

function shadesOf(host) {
  const style = getComputedStyle(host)
  const stops = ["low", "middle", "high"].map(name => {
    const hex = style.getPropertyValue(`--bbb-${name}`).trim().slice(1)
    return [0, 2, 4].map(at => Number.parseInt(hex.slice(at, at + 2), 16))
  })
  return Uint32Array.from({ length: SHADES }, (_, index) => {
    const place = (2 * index) / (SHADES - 1)
    const [from, to] = place < 1 ? [stops[0], stops[1]] : [stops[1], stops[2]]
    const share = place < 1 ? place : place - 1
    const [red, green, blue] = from.map((each, channel) => Math.round(each + share * (to[channel] - each)))
    return (255 << 24) | (blue << 16) | (green << 8) | red // as canvases keep it, the least byte first
  })
}
