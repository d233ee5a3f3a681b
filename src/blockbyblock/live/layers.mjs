// The parts that every model of this book is made of, as they compute once it is trained: one sequence, no padding, no
// dropout. A sequence is an array of vectors: one Float32Array of d_model numbers for each position.

/**
 * Throw an Error if a file holds a model for another task, or one that asks for what the page does not compute; `computed`
 * says what it does.
 */
export function requireComputed({ task, config }, wanted, computed) {
  if (task !== wanted) throw new Error(`A model for ${wanted} is needed; this file is for ${task}.`)
  for (const [name, value] of Object.entries(computed)) {
    const found = config[name] ?? false
    if (found !== value) throw new Error(`The page computes models with ${name}=${value}; this one has ${name}=${found}.`)
  }
}

/**
 * What passes on each result to the model's `observe`, while that is set: observe(name, vectors), a vector for each
 * position, by the name that the result has in the package. Of an attention, "concat" are the heads' sums side by side and
 * "weights" those of all heads, one head after the other.
 */
export function teller(model) {
  return (name, vectors) => {
    model.observe?.(name, vectors)
    return vectors
  }
}

/** Each token's vector times √d_model, plus the sines and cosines of its position. `table(id)` is a token's vector. */
export function embed(table, ids, positions, width) {
  return ids.map((id, index) => {
    const place = sinusoid(positions[index], width)
    return table(id).map((entry, feature) => entry * Math.sqrt(width) + place[feature])
  })
}

/** The layers of a stack, each with these attentions. */
export function stack(tensors, name, count, attentions, config, tell) {
  return Array.from({ length: count }, (_, index) => layer(tensors, `${name}.layers.${index}`, attentions, config, tell))
}

/** A whole sequence through a stack in which each position looks at all: {outputs, attention}, weights by layer. */
export function throughAll(layers, x) {
  const attention = layers.map(layer => {
    const all = layer.self_attention.project(x)
    const { outputs, weights } = layer.self_attention.attend(x, () => all)
    x = layer.self_attention_add_norm(x, outputs)
    x = layer.feed_forward_add_norm(x, layer.feed_forward(x))
    return weights
  })
  return { outputs: x, attention }
}

/** What a stack that reads token by token has read at first: nothing, so no keys and values in any layer. */
export function nothingRead(layers) {
  return { length: 0, layers: layers.map(() => ({ keys: [], values: [] })) }
}

/** Longer prefixes, by one position, whose layers `lookBack` fills one after the other. The old ones stay as they are. */
export function lengthened(prefixes) {
  return prefixes.map(({ length }) => ({ length: length + 1, layers: [] }))
}

/**
 * The first half of a layer that reads one more token after each of several prefixes: self-attention, Add & Norm.
 *
 * The new position's keys and values join those of its prefix in `longer`. A mask is not needed: no future is there yet.
 */
export function lookBack(layer, depth, prefixes, longer, x) {
  const { keys, values } = layer.self_attention.project(x)
  longer.forEach(({ layers }, index) => {
    const old = prefixes[index].layers[depth]
    layers.push({ keys: [...old.keys, keys[index]], values: [...old.values, values[index]] })
  })
  const { outputs, weights } = layer.self_attention.attend(x, index => longer[index].layers[depth])
  return { x: layer.self_attention_add_norm(x, outputs), weights }
}

/** Cut rows that hold the weights of all heads, one head after the other, into the rows of each head. */
export function byHead(rows, heads) {
  return Array.from({ length: heads }, (_, head) =>
    rows.map(row => row.slice((head * row.length) / heads, ((head + 1) * row.length) / heads)),
  )
}

/** The vector of a position: a sine in each even feature, a cosine in each odd one. */
export function sinusoid(position, width) {
  return Float64Array.from({ length: width }, (_, feature) => {
    const angle = position * 10000 ** (-(feature - (feature % 2)) / width)
    return feature % 2 ? Math.cos(angle) : Math.sin(angle)
  })
}

/** The parts of one layer, by the package's names for them. What they compute is passed to `tell`. */
function layer(tensors, name, attentions, { heads, norm_eps: epsilon }, tell) {
  const parts = { feed_forward: feedForward(tensors, `${name}.feed_forward`, tell) }
  for (const kind of attentions) parts[kind] = attention(tensors, `${name}.${kind}`, heads, tell)
  for (const kind of [...attentions, "feed_forward"]) {
    parts[`${kind}_add_norm`] = addNorm(tensors, `${name}.${kind}_add_norm`, epsilon, tell)
  }
  return parts
}

/**
 * A linear layer: from each vector x to W x + b.
 *
 * A file that holds a translation in place of the model (trace.py) has what came out at each position, in the order in
 * which the positions are read.
 */
function linear(tensors, name, tell) {
  const stored = tensors[`model.${name}.outputs`]
  const apply = stored ? replay(stored) : matrix(tensors, `model.${name}`).apply
  return vectors => tell(name, apply(vectors))
}

function replay({ shape: [, width], numbers }) {
  let next = 0
  return vectors => vectors.map(() => numbers.subarray(next++ * width, next * width))
}

/**
 * A matrix of whole numbers with one scale per row, or of floats. `row(index)` is one of its rows; `apply(vectors)`
 * multiplies it by each vector and adds the bias, if there is one.
 *
 * A whole number is multiplied as it is and its row's scale comes in once, at the end. That takes a quarter of the memory
 * of the floats that it stands for, and no more time.
 */
export function matrix(tensors, name) {
  const { shape: [height, width], numbers } = tensor(tensors, `${name}.weight`)
  const scales = tensors[`${name}.weight.scale`]?.numbers ?? new Float32Array(height).fill(1)
  const bias = tensors[`${name}.bias`]?.numbers ?? new Float32Array(height)
  const row = index => Float32Array.from(numbers.subarray(index * width, (index + 1) * width), n => n * scales[index])
  const apply = vectors => {
    const outputs = vectors.map(() => new Float32Array(height))
    vectors.forEach((vector, each) => {
      const output = outputs[each]
      for (let index = 0; index < height; index++) {
        output[index] = sumOfProducts(numbers, index * width, vector) * scales[index] + bias[index]
      }
    })
    return outputs
  }
  return { row, apply }
}

function tensor(tensors, name) {
  if (!tensors[name]) throw new Error(`The file does not hold ${name}.`)
  return tensors[name]
}

/** The sum of the products of a vector and as many numbers, those from `start` on. */
function sumOfProducts(numbers, start, vector) {
  const last = vector.length - 1
  let even = last % 2 ? 0 : numbers[start + last] * vector[last]
  let odd = 0 // two sums do not wait for each other: a third less time
  for (let index = 0; index < last; index += 2) {
    even += numbers[start + index] * vector[index]
    odd += numbers[start + index + 1] * vector[index + 1]
  }
  return even + odd
}

/** Multi-head attention, in two steps, so that a decoder may keep what it has projected. */
function attention(tensors, name, heads, tell) {
  const [query, key, value, output] = ["query", "key", "value", "output"].map(part =>
    linear(tensors, `${name}.${part}_projection`, tell),
  )
  return {
    project: x => ({ keys: key(x), values: value(x) }),
    attend: (x, seen) => {
      const looked = query(x).map((each, index) => lookAt(each, seen(index), heads))
      const weights = tell(`${name}.weights`, looked.map(({ weights }) => weights))
      return { outputs: output(tell(`${name}.concat`, looked.map(({ sum }) => sum))), weights }
    },
  }
}

/** softmax(q K / √d_k) V for one query, in every head: the weighted sums side by side, and the weights. */
function lookAt(query, { keys, values }, heads) {
  const keyWidth = query.length / heads
  const valueWidth = values[0].length / heads
  const weights = new Float32Array(heads * keys.length)
  const sum = new Float32Array(values[0].length)
  for (let head = 0; head < heads; head++) {
    const mine = weights.subarray(head * keys.length, (head + 1) * keys.length)
    const part = query.subarray(head * keyWidth, (head + 1) * keyWidth)
    for (let index = 0; index < keys.length; index++) {
      mine[index] = sumOfProducts(keys[index], head * keyWidth, part) / Math.sqrt(keyWidth)
    }
    const largest = mine.reduce((most, score) => Math.max(most, score)) // so that no exponential overflows
    let total = 0
    for (let index = 0; index < mine.length; index++) total += mine[index] = Math.exp(mine[index] - largest)
    for (let index = 0; index < mine.length; index++) {
      mine[index] /= total
      for (let entry = head * valueWidth; entry < (head + 1) * valueWidth; entry++) {
        sum[entry] += mine[index] * values[index][entry]
      }
    }
  }
  return { sum, weights }
}

/** max(0, x W1 + b1) W2 + b2 at each position. */
function feedForward(tensors, name, tell) {
  const [widen, narrow] = ["hidden", "output"].map(part => linear(tensors, `${name}.${part}_projection`, tell))
  return x => narrow(widen(x).map(hidden => hidden.map(entry => Math.max(0, entry))))
}

/** LayerNorm(x + sublayer(x)) at each position. */
function addNorm(tensors, name, epsilon, tell) {
  const [gain, bias] = ["weight", "bias"].map(part => tensor(tensors, `model.${name}.norm.${part}`).numbers)
  const apply = (x, sublayer) =>
    x.map((vector, position) => {
      const sums = vector.map((entry, index) => entry + sublayer[position][index])
      const mean = sums.reduce((total, entry) => total + entry, 0) / sums.length
      const variance = sums.reduce((total, entry) => total + (entry - mean) ** 2, 0) / sums.length
      const deviation = Math.sqrt(variance + epsilon)
      return sums.map((entry, index) => ((entry - mean) / deviation) * gain[index] + bias[index])
    })
  return (x, sublayer) => tell(name, apply(x, sublayer))
}
