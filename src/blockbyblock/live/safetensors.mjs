// Reads a trained model out of a safetensors file: eight bytes with the length of a JSON header, the header, the numbers.
// Nothing in such a file can run. The package writes it in portable.py.

const NUMBERS = { I8: Int8Array, F16: Uint16Array, F32: Float32Array }
const OWN = "blockbyblock" // where our JSON stands in the header

/**
 * Read a file that `save_portable` wrote, in the precision "int8" or "float32".
 *
 * Returns {task, config, tokenizer, about, tensors}: a tensor is {shape, numbers, place}, where place is its first byte in the file
 * and the byte after its last, and each matrix of whole numbers has its
 * scale per row beside it, as `<name>.scale`. Throws an Error that says what is wrong with the file.
 */
export function readModel(buffer) {
  const { own, tensors } = readTensors(buffer)
  if (!own?.config || !own.tokenizer) throw new Error("The file holds no model of this book, or one without a tokenizer.")
  const { task = "translation", config, tokenizer, about = {} } = own // the first files said nothing of a task
  return { task, config, tokenizer, about, tensors }
}

/** Read any safetensors file of this book: `own`, its JSON, null if there is none, and its tensors. */
export function readTensors(buffer) {
  const { header, start } = readHeader(buffer)
  const { __metadata__: metadata, ...entries } = header
  const tensors = {}
  for (const [name, entry] of Object.entries(entries)) tensors[name] = readTensor(buffer, start, name, entry)
  return { own: JSON.parse(metadata?.[OWN] ?? "null"), tensors }
}

function readHeader(buffer) {
  const length = buffer.byteLength >= 8 ? Number(new DataView(buffer).getBigUint64(0, true)) : Infinity
  if (8 + length > buffer.byteLength) throw new Error("The file is cut short, or no safetensors file.")
  return { header: JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length))), start: 8 + length }
}

function readTensor(buffer, start, name, { dtype, shape, data_offsets: [begin, end] }) {
  const Kind = NUMBERS[dtype]
  if (!Kind) throw new Error(`${name} has numbers of the kind ${dtype}; the page reads ${Object.keys(NUMBERS).join(" and ")}.`)
  const size = shape.reduce((product, length) => product * length, Kind.BYTES_PER_ELEMENT)
  if (end - begin !== size || start + end > buffer.byteLength) throw new Error(`${name} is cut short.`)
  const numbers = new Kind(buffer.slice(start + begin, start + end)) // a copy begins where numbers may begin
  return { shape, numbers: dtype === "F16" ? Float32Array.from(numbers, half) : numbers, place: [start + begin, start + end] }
}

/** The number that 16 bits stand for; not every browser has a Float16Array. */
function half(bits) {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023]
  if (exponent === 31) return fraction ? NaN : sign * Infinity
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024))
}
