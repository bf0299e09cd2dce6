import Tensors

extension OperationCase {
  static let attention = plain + withOptions + withOtherKeys

  /// Without options, in every type, of head widths that cuDNN computes and that it does not.
  private static let plain = [DType.float32, .bfloat16, .float16].flatMap { dtype in
    [12, 32, 64, 72, 96, 128, 256].map { width in
      OperationCase("attention, heads of \(width)", [[2, 160, 3, 2, width]], in: dtype) {
        ($0[0] * 2).selfAttention()
      }
    }
  }

  /// Self-attention of `[2, tokens, 4 heads, 64]`, packed; a bias comes as a second input.
  private static func attention(
    _ name: String, tokens: Int = 96, bias: Shape? = nil,
    types: [DType] = [.float32, .bfloat16],
    _ options: @escaping @Sendable (_ bias: Tensor?) -> AttentionOptions
  ) -> [OperationCase] {
    types.map { dtype in
      OperationCase(
        "attention, \(name)", [[2, tokens, 3, 4, 64]] + (bias.map { [$0] } ?? []), in: dtype
      ) { inputs in
        (inputs[0] * 2).selfAttention(options(inputs.count > 1 ? inputs[1] : nil))
      }
    }
  }

  /// Which queries see which keys, without a rule; every query sees some.
  private static func visible(_ sizes: Shape) -> Tensor {
    var sum = Tensor.constant(0, .int32)
    for (axis, factor) in [5.0, 3, 7, 11].enumerated() {
      sum = sum + Tensor.iota(sizes, axis: axis, .int32) * factor
    }
    return sum.remainder(.constant(13, .int32)).less(.constant(8, .int32))
  }

  private static let withOptions: [OperationCase] = [
    attention("odd tokens", tokens: 97) { _ in AttentionOptions() },
    attention("scaled", types: [.bfloat16]) { _ in AttentionOptions(scale: 0.3) },
    attention("causal", types: [.float32, .bfloat16, .float16]) { _ in
      AttentionOptions(mask: .causal)
    },
    attention("causal, odd tokens", tokens: 97) { _ in AttentionOptions(mask: .causal) },
    attention("causal, window") { _ in AttentionOptions(mask: .causal, window: 9) },
    attention("window") { _ in AttentionOptions(window: 9) },
    attention("window, odd tokens", tokens: 97) { _ in AttentionOptions(window: 9) },
    attention("counts of keys") { _ in
      AttentionOptions(mask: .keys(.constant([40, 0] as [Int32], shape: [2])))
    },
    attention("valid keys") { _ in
      AttentionOptions(mask: .keys(visible([2, 1, 1, 96]).reshape([2, 96])))
    },
    attention("mask", types: [.float32, .bfloat16, .float16]) { _ in
      AttentionOptions(mask: .full(visible([2, 4, 96, 96])))
    },
    attention("mask of all heads") { _ in
      AttentionOptions(mask: .full(visible([1, 1, 96, 96])))
    },
    attention("causal, counts of keys") { _ in
      AttentionOptions(mask: .causal & .keys(.constant([40, 96] as [Int32], shape: [2])))
    },
    attention("bias", bias: [1, 4, 96, 96], types: [.float32, .bfloat16, .float16]) {
      AttentionOptions(bias: $0)
    },
    attention("bias of samples", bias: [2, 1, 96, 96]) { AttentionOptions(bias: $0) },
    attention("bias of keys", bias: [2, 1, 1, 96]) { AttentionOptions(bias: $0) },
    attention("bias, masked", bias: [1, 4, 96, 96]) {
      AttentionOptions(mask: .full(visible([2, 1, 96, 96])), bias: $0)
    },
    attention("bias, causal", bias: [1, 4, 96, 96]) {
      AttentionOptions(mask: .causal, bias: $0)
    },
    attention("soft cap") { _ in AttentionOptions(softCap: 2) },
  ].flatMap(\.self)

  /// Queries `[2, queries, 4, 64]` with keys of other numbers.
  private static func attention(
    _ name: String, queries: Int, keys: Int, keyHeads: Int, _ options: AttentionOptions
  ) -> [OperationCase] {
    [.float32, .bfloat16].map { dtype in
      OperationCase(
        "attention, \(name)",
        [[2, queries, 4, 64], [2, keys, keyHeads, 64], [2, keys, keyHeads, 64]], in: dtype
      ) { ($0[0] * 2).attention(keys: $0[1], values: $0[2], options) }
    }
  }

  private static let withOtherKeys: [OperationCase] = [
    attention("grouped heads", queries: 96, keys: 96, keyHeads: 2, AttentionOptions()),
    attention("one head of keys", queries: 96, keys: 96, keyHeads: 1, AttentionOptions()),
    attention(
      "grouped heads, causal", queries: 96, keys: 96, keyHeads: 2, AttentionOptions(mask: .causal)),
    attention(
      "grouped heads, masked", queries: 96, keys: 96, keyHeads: 2,
      AttentionOptions(mask: .full(visible([2, 1, 96, 96])))),
    attention("fewer keys", queries: 96, keys: 40, keyHeads: 4, AttentionOptions()),
    attention("77 keys", queries: 96, keys: 77, keyHeads: 4, AttentionOptions()),
    attention(
      "fewer keys, masked", queries: 96, keys: 40, keyHeads: 4,
      AttentionOptions(mask: .keys(.constant([40, 7] as [Int32], shape: [2])))),
    attention(
      "queries that continue", queries: 32, keys: 96, keyHeads: 4, AttentionOptions(mask: .causal)),
    attention(
      "queries that continue, window", queries: 32, keys: 96, keyHeads: 4,
      AttentionOptions(mask: .causal, window: 40)),
  ].flatMap(\.self)
}
