// The walk: from the id of one source token to the word that it becomes, and on to the next step. A stop is a place that is
// opened, and one sentence with the model's own numbers.

import { decimals } from "./figure.mjs"
import { strongest } from "./passage.mjs"
import { grouped } from "./sheet.mjs"

/**
 * The stops for one passage: {at, step, token, head, chapter, say}. `say()` is the sentence. The walk follows source token
 * 1, or 0 where only <end> follows it, and the step of the decoder that looks most at it in the last layer.
 */
export function stopsOf(passage) {
  const { source, read, written, pieces, tensors, heads, size, top, logTotals } = passage
  const layers = stack =>
    1 + Math.max(...Object.keys(tensors).map(name => (name.startsWith(`${stack}.`) ? Number(name.split(".")[2]) : -1)))
  const [deep, last] = [layers("encoder") - 1, layers("decoder") - 1]
  const from = source.length > 2 ? 1 : 0
  const name = id => `“${isolated(pieces.get(id))}”`
  const [token, to] = [name(source[from]), strongestStep(passage, last, from)]
  const weight = (at, head, query) => {
    const all = tensors[`${at}.weights`][query]
    return all.subarray((head * all.length) / heads, ((head + 1) * all.length) / heads)
  }
  const looks = (at, head, query, ids) => {
    const found = weight(at, head, query)
    const most = found.indexOf(found.reduce((one, other) => Math.max(one, other)))
    return `${name(ids[most])}, with weight ${decimals(found[most], 2)}`
  }
  const best = (at, query, key) => {
    const found = Array.from({ length: heads }, (_, head) => weight(at, head, query)[key])
    return found.indexOf(Math.max(...found))
  }
  /** The head with the largest weight on another token than the one that looks: more is to be seen there. */
  const turned = (at, query) => {
    const found = Array.from({ length: heads }, (_, head) =>
      Math.max(0, ...weight(at, head, query).filter((_, key) => key !== query)),
    )
    return found.indexOf(Math.max(...found))
  }
  const share = (at, query, key) =>
    decimals(Math.max(...Array.from({ length: heads }, (_, head) => weight(at, head, query)[key])), 2)
  const firing = (at, position) => {
    const hidden = tensors[`${at}.hidden_projection`][position]
    return `${grouped(hidden.filter(entry => entry > 0).length)} of ${grouped(hidden.length)}; the strongest is unit ${grouped((strongest(hidden)[0] ?? 0) + 1)}`
  }
  const [one, two, three] = ["encoder.layers.0", "decoder.layers.0", `decoder.layers.${last}`]
  const heard = best(`${three}.cross_attention`, to, from)
  const first = `${one}.self_attention`
  const second = `encoder.layers.${Math.min(1, deep)}.self_attention`
  const [eye, other, seer] = [turned(first, from), turned(second, from), turned(`${two}.self_attention`, to)]
  const width = size / heads
  const [, chosen] = top[to].find(([id]) => id === written[to]) ?? top[to][0] // <start> may be above it, and is not written
  const probability = decimals(Math.exp(chosen - logTotals[to]), 2)
  const after = Math.min(to + 1, read.length - 1)
  const encoder = (at, chapter, say, step = "scores", head = 0) => ({ at, step, head, token: from, chapter, say })
  const decoder = (at, chapter, say, step = "scores", head = 0, token = to) => ({ at, step, head, token, chapter, say })
  const stops = [
    encoder(
      "source_embedding",
      4,
      () =>
        `${token} is a number, ${grouped(source[from])}. It picks a row of the embedding table: ${size} learned features.`,
    ),
    encoder(
      "source_positions",
      5,
      () => `The pattern of position ${from + 1} is added, so that the vector knows its place.`,
    ),
    encoder(
      first,
      1,
      () =>
        `Each head turns the vector into a query, a key and a value, ${width} features each. This is head ${eye + 1}.`,
      "projections",
      eye,
    ),
    encoder(
      first,
      2,
      () =>
        `The query of ${token} is multiplied with every token's key. It looks most at ${looks(first, eye, from, source)}.`,
      "scores",
      eye,
    ),
    encoder(
      first,
      2,
      () => "The weights say how much of each token's value is taken; the shares are added up.",
      "sum",
      eye,
    ),
    encoder(
      first,
      3,
      () => `All ${heads} heads have done the same, each with its own matrices. Their sums are joined and mixed.`,
      "concat",
      eye,
    ),
    encoder(
      `${first}_add_norm`,
      6,
      () => `What attention found is added to the vector of ${token}. The sum is brought to one size.`,
    ),
    encoder(
      `${one}.feed_forward`,
      7,
      () => `Now each token is alone. Hidden units that fire: ${firing(`${one}.feed_forward`, from)}.`,
    ),
    encoder(
      `${one}.feed_forward_add_norm`,
      6,
      () => "What they give is added too. This is the end of layer 1: the vector has been amended twice.",
    ),
    encoder(
      second,
      8,
      () =>
        `The next layer does it again, with matrices of its own. Its head ${other + 1} looks at ${looks(second, other, from, source)}.`,
      "scores",
      other,
    ),
    encoder(
      `encoder.layers.${deep}.feed_forward_add_norm`,
      8,
      () =>
        `The end of the encoder. This vector of ${token}, which has seen the whole sentence, is what the decoder will read: the memory.`,
    ),
    decoder(
      "target_embedding",
      9,
      () =>
        `The decoder writes one token a step. Step ${to + 1} begins with what it has written last: ${name(read[to])}.`,
    ),
    decoder(
      "target_positions",
      5,
      () => `It is position ${to + 1} of the translation, and gets that position's pattern.`,
    ),
    decoder(
      `${two}.self_attention`,
      9,
      () =>
        `${name(read[to])} may look at itself and back. What comes later does not exist yet, and in training the mask hides it.`,
      "scores",
      seer,
    ),
    decoder(
      `${two}.self_attention_add_norm`,
      11,
      () =>
        `What was found in ${to + 1 === 1 ? "the beginning" : `the ${to + 1} tokens so far`} is added and normalised, as in the encoder.`,
    ),
    decoder(
      `${two}.cross_attention`,
      10,
      () => "Now the decoder asks the source sentence: the query is its own, keys and values come from the memory.",
      "projections",
      best(`${two}.cross_attention`, to, from),
    ),
    decoder(
      `${two}.cross_attention`,
      10,
      () =>
        `In layer 1 the head that looks most at ${token} gives it ${share(`${two}.cross_attention`, to, from)} of its weight.`,
      "scores",
      best(`${two}.cross_attention`, to, from),
    ),
    decoder(
      `${two}.cross_attention_add_norm`,
      11,
      () => "What it heard from the source is added to the decoder's own vector.",
    ),
    decoder(
      `${two}.feed_forward`,
      11,
      () =>
        `The feed-forward network of the decoder, as in the encoder. Units that fire: ${firing(`${two}.feed_forward`, to)}.`,
    ),
    decoder(
      `decoder.layers.${Math.min(1, last)}.cross_attention`,
      11,
      () =>
        `Layer 2 asks the source again: up to ${share(`decoder.layers.${Math.min(1, last)}.cross_attention`, to, from)} of a head's weight on ${token}.`,
      "scores",
      best(`decoder.layers.${Math.min(1, last)}.cross_attention`, to, from),
    ),
    decoder(
      `${three}.cross_attention`,
      10,
      () =>
        `In the last layer head ${heard + 1} gives ${token} ${share(`${three}.cross_attention`, to, from)} of its weight: this is the word to translate now.`,
      "scores",
      heard,
    ),
    decoder(
      `${three}.cross_attention`,
      10,
      () => `So nearly all that this head hands over is the value of ${token}.`,
      "sum",
      heard,
    ),
    decoder(
      `${three}.feed_forward_add_norm`,
      11,
      () => "The decoder's last vector: all that was found goes into the choice of one word.",
    ),
    decoder(
      "output",
      12,
      () =>
        `It is multiplied with the rows of all tokens. Softmax gives ${name(written[to])} a probability of ${probability}: it is written.`,
    ),
    decoder(
      "target_embedding",
      13,
      () =>
        after > to
          ? `${name(read[after])} is read at the next step, and everything in the decoder begins again: the loop.`
          : "With this the translation ends: there is no next step.",
      "scores",
      0,
      after,
    ),
  ]
  return stops
}

/** A piece within a sentence; one that turns the direction of text does not turn what follows it. */
function isolated(piece) {
  const text = piece.trim() || "␣"
  return /\p{Bidi_Control}/u.test(text) ? `\u2068${text}\u2069` : text
}

/** The step of the decoder at which the heads of its last layer give a source token the most weight. */
function strongestStep({ tensors, heads }, last, from) {
  const sums = tensors[`decoder.layers.${last}.cross_attention.weights`].map(all => {
    const length = all.length / heads
    return Array.from({ length: heads }, (_, head) => all[head * length + from]).reduce((one, other) => one + other)
  })
  return sums.indexOf(Math.max(...sums))
}
