import Tensors

/// An operation whose value and gradients are compared.
struct OperationCase: Sendable {
  /// The name in the table.
  let name: String
  /// The shapes of its inputs.
  let inputs: [Shape]
  /// The element type in which the device computes.
  let dtype: DType
  /// The largest difference that passes, relative to the largest value.
  let tolerance: Double
  /// Whether it draws random numbers, which are equal on all devices but not in all element types.
  let isRandom: Bool
  /// The mesh it is partitioned over.
  let mesh: Mesh?
  /// The operation on inputs of one floating-point type.
  let body: @Sendable ([Tensor]) -> Tensor

  init(
    _ name: String, _ inputs: [Shape], in dtype: DType = .float32, tolerance: Double? = nil,
    isRandom: Bool = false, mesh: Mesh? = nil, _ body: @escaping @Sendable ([Tensor]) -> Tensor
  ) {
    self.name = dtype == .float32 ? name : "\(name) in \(dtype.rawValue)"
    (self.inputs, self.dtype, self.isRandom, self.mesh, self.body) =
      (inputs, dtype, isRandom, mesh, body)
    let usual = dtype == .bfloat16 ? 3e-2 : dtype == .float16 ? 4e-3 : 2e-5
    self.tolerance = tolerance ?? usual
  }

  /// All cases.
  static let all = matmuls + convolutions + attention + elementwise + control + random

  private static let matmuls = [
    OperationCase("matmul", [[96, 80], [80, 64]]) { $0[0].matmul($0[1]) },
    OperationCase("matmul", [[96, 80], [80, 64]], in: .bfloat16) { $0[0].matmul($0[1]) },
    OperationCase("matmul", [[96, 80], [80, 64]], in: .float16) { $0[0].matmul($0[1]) },
    OperationCase("matmul of odd sizes", [[37, 51], [51, 3]], in: .bfloat16) {
      $0[0].matmul($0[1])
    },
    OperationCase("batched matmul", [[3, 40, 24], [3, 24, 56]], in: .bfloat16) {
      $0[0].matmul($0[1])
    },
    OperationCase("Einstein sum", [[2, 9, 4, 16], [2, 11, 4, 16]]) {
      .einsum("bqhd,bkhd->bhqk", $0[0], $0[1])
    },
    OperationCase("matmul on a mesh of one", [[8, 80], [80, 64]], mesh: Mesh()) {
      $0[0].sharded(.batch).matmul($0[1].sharded(.embed, .hidden)).sharded(.batch)
    },
  ]

  private static let elementwise = [
    OperationCase("softmax", [[7, 130]]) { $0[0].softmax() },
    OperationCase("log softmax", [[7, 130]]) { $0[0].logSoftmax() },
    OperationCase("layer norm", [[7, 130]]) { $0[0].normalized([-1], epsilon: 1e-6) },
    OperationCase("layer norm", [[7, 130]], in: .bfloat16) {
      $0[0].normalized([-1], epsilon: 1e-6)
    },
    OperationCase("RMS norm", [[7, 130]]) { $0[0].rmsNormalized() },
    OperationCase("group norm", [[2, 5, 5, 64]]) { $0[0].groupNormalized(8) },
    OperationCase("activations", [[1000]]) {
      $0[0].gelu(approximate: true) + $0[0].gelu() + $0[0].silu() + $0[0].relu() + $0[0].tanh()
        + $0[0].softplus()
    },
    OperationCase("powers and roots", [[1000]]) {
      let x = $0[0].abs() + 0.1
      return x.sqrt() + x.log() + x.power(1.7) + $0[0].exp() + $0[0].sin() * $0[0].cos()
    },
    OperationCase("error function", [[1000]]) { $0[0].erf() + ($0[0] * 0.9).erfInverse() },
    OperationCase("slices and joins", [[6, 8], [6, 8]]) {
      .concatenate(
        [$0[0].slice(1, 2..<6), $0[1].reversed([0]).transpose([1, 0]).reshape([6, 8])], axis: 1)
    },
    OperationCase("taking rows", [[10, 16]]) {
      $0[0].take(.constant([3, 0, 9, 3] as [Int32], shape: [4]))
    },
    OperationCase("sorting", [[5, 200]]) {
      let order = $0[0].stopGradient().argsort()
      return .stack((0..<5).map { [x = $0[0]] row in x[row].take(order[row]) })
    },
    OperationCase("largest", [[5, 200]]) {
      $0[0].max([1]) + $0[0].argmax(1).cast(to: $0[0].dtype) * 0.1
    },
    OperationCase("maximum pooling", [[2, 8, 8, 4]]) { $0[0].maxPool(2) },
    OperationCase("average pooling", [[2, 8, 8, 4]]) {
      $0[0].averagePool(3, stride: 2, padding: 1)
    },
    OperationCase("nearest upsampling", [[2, 5, 4, 8]]) { $0[0].upsampledNearest(2) },
  ]

  private static let control = [
    OperationCase("scan", [[8, 16], [16, 16]], tolerance: 1e-4) { inputs in
      scan([inputs[0]], length: 6) { state, _ in
        ([(state[0].matmul(inputs[1]) * 0.2).tanh()], [])
      }.carry[0]
    },
    OperationCase("scan over weights, recomputed", [[8, 16], [5, 16, 16]], tolerance: 1e-4) {
      let results = scan([$0[0]], [$0[1]], recomputed: true) { state, weights in
        let next = (state[0].matmul(weights[0]) * 0.2).tanh()
        return ([next], [next.sum([0])])
      }
      return .concatenate([results.carry[0], results.outputs[0]], axis: 0)
    },
    OperationCase("scan of attention", [[2, 64, 3, 2, 32]], in: .bfloat16) {
      scan([$0[0]], length: 3) { state, _ in
        ([state[0] * 0.5 + state[0].selfAttention().expanded([2])], [])
      }.carry[0]
    },
    OperationCase("checkpoint", [[8, 16], [16, 16]], tolerance: 1e-4) {
      checkpoint($0) { [($0[0].matmul($0[1]) * 0.2).tanh().matmul($0[1])] }[0]
    },
    OperationCase("loop", [[8]]) { inputs in
      let rounds = loop([.constant(0, .int32)], while: { $0[0].less(5) }) { [$0[0] + 1] }
      return inputs[0] * rounds[0].cast(to: inputs[0].dtype)
    },
  ]

  private static let random = [
    OperationCase("random bits", [[1]], isRandom: true) {
      let bits = Key(seed: 5).bits([1000])
      return (bits >> 8).cast(to: .float32) * 0x1p-24 + 0 * $0[0]
    },
    OperationCase("random numbers", [[1]], isRandom: true) {
      let keys = Key(seed: 5).split(5)
      return keys[0].normal([1000]) + keys[1].beta(0.8, 1.2, [1000]) * $0[0]
        + keys[2].permutation(1000).cast(to: .float32) / 1000
        + keys[3].integers(below: 10, [1000]).cast(to: .float32)
        + keys[4].bernoulli(0.3, [1000]).cast(to: .float32)
    },
  ]
}
