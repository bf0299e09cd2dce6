/// Random bits from a state by the Threefry generator.
struct RandomBits: Operation {
  let type: TensorType

  var opcode: String { "stablehlo.rng_bit_generator" }
  func attributes(_ operands: [TensorType], _ results: [TensorType]) -> String {
    "rng_algorithm = #stablehlo<rng_algorithm THREE_FRY>"
  }
  func results(_ operands: [TensorType]) -> [TensorType] {
    precondition(
      operands == [TensorType([2], .uint64)] && [.uint32, .uint64].contains(type.dtype),
      "random bits need a key, not \(operands)")
    return [operands[0], type]
  }
}
