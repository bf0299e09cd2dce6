import Foundation
import Testing

@testable import Tensors

/// Attention in programs for a GPU; `twinflow-bench operations` compares a GPU's results.
@Suite struct FusedAttentionTests {
  private func text(
    _ dtype: DType, _ sizes: Shape, mask: Bool = false, isPacked: Bool = true,
    gradient: Bool = true, mesh: Mesh? = nil
  ) -> String {
    let packed = Shape([sizes[0], sizes[1], 3, sizes[2], sizes[3]])
    var types = Named([
      ("x", TensorType(packed, dtype)), ("dy", TensorType(sizes, dtype)),
    ])
    types["mask"] = TensorType([sizes[0], 1, 1, sizes[1]], .bool)
    let program = Program(types, target: Target(platform: .cuda, mesh: mesh)) { inputs in
      let x = inputs["x"]!
      let options = AttentionOptions(mask: mask ? .full(inputs["mask"]!) : .none)
      let y: Tensor
      if isPacked {
        y = x.selfAttention(options)
      } else {
        let parts = x.split(3, axis: 2).map { $0.reshape(sizes) }
        y = parts[0].attention(keys: parts[1], values: parts[2], options)
      }
      guard gradient else { return Named([("y", y)]) }
      let loss = (y * inputs["dy"]!).cast(to: .float32).sum()
      return Named([("y", y), ("dx", loss.gradients(for: Named([("x", x)]))["x"]!)])
    }
    if let folder = ProcessInfo.processInfo.environment["TWINFLOW_DUMP"] {
      try? program.text.write(
        toFile: "\(folder)/\(dtype.rawValue)-\(mask)-\(isPacked)-\(mesh != nil).mlir",
        atomically: true, encoding: .utf8)
    }
    return program.text
  }

  @Test(arguments: [false, true], [false, true])
  func halfPrecisionUsesCuDNN(isPacked: Bool, mask: Bool) {
    let text = text(.bfloat16, [2, 6, 4, 64], mask: mask, isPacked: isPacked)
    let name = mask ? "ScaleBiasSoftmax" : "Softmax"
    #expect(text.contains("call_target_name = \"__cudnn$fmha\(name)\""))
    #expect(text.contains("call_target_name = \"__cudnn$fmha\(name)Backward\""))
    #expect(text.contains("\\\"dimensions\\\": [\\\"2\\\", \\\"4\\\", \\\"6\\\", \\\"6\\\"]"))
    #expect(text.contains("\\\"fmha_scale\\\": 0.125"))
    // The sums go from one to the other, and the scores are nowhere.
    #expect(text.contains("tensor<2x4x6xf32>"))
    #expect(!text.contains("stablehlo.exponential"))
  }

  @Test(
    arguments: [
      (DType.float32, [2, 6, 4, 64], false), (.bfloat16, [2, 6, 4, 12], false),
      (.bfloat16, [2, 6, 4, 256], false), (.bfloat16, [2, 5, 4, 64], true),
    ] as [(DType, Shape, Bool)])
  func theRestIsPlain(_ dtype: DType, _ sizes: Shape, mask: Bool) {
    let text = text(dtype, sizes, mask: mask)
    #expect(!text.contains("__cudnn") && text.contains("stablehlo.exponential"))
  }

  @Test func isShardedBySamplesAndHeads() {
    let text = text(.bfloat16, [4, 6, 4, 64], mesh: Mesh(fsdp: 2, tensor: 2))
    #expect(text.contains("sdy.manual_computation"))
    #expect(text.contains("\\\"dimensions\\\": [\\\"2\\\", \\\"2\\\", \\\"6\\\", \\\"6\\\"]"))
  }

  /// What is said of attention in bf16 of 4 heads to `keyHeads`, forwards and backwards.
  private func text(
    keyHeads: Int = 4, queries: Int = 6,
    _ options: @escaping (_ bias: Tensor, _ lengths: Tensor) -> AttentionOptions
  ) -> String {
    let types = Named([
      ("q", TensorType([2, queries, 4, 64], .bfloat16)),
      ("k", TensorType([2, 6, keyHeads, 64], .bfloat16)),
      ("v", TensorType([2, 6, keyHeads, 64], .bfloat16)),
      ("bias", TensorType([1, 4, queries, 6], .bfloat16)), ("lengths", TensorType([2], .int32)),
    ])
    return Program(types, target: Target(platform: .cuda)) { inputs in
      let y = inputs["q"]!.attention(
        keys: inputs["k"]!, values: inputs["v"]!, options(inputs["bias"]!, inputs["lengths"]!))
      let sources = inputs.filter { ["q", "k", "v"].contains($0) }
      return y.cast(to: .float32).sum().gradients(for: sources).merging(Named([("y", y)]))
    }.text
  }

  @Test func causalMasksAndWindowsUseCuDNN() {
    let causal = text { _, _ in AttentionOptions(mask: .causal) }
    #expect(causal.occurrences(of: "\\\"mask_type\\\": \\\"CAUSAL\\\"") == 2)
    #expect(!causal.contains("ScaleBias") && !causal.contains("stablehlo.exponential"))
    let window = text { _, _ in AttentionOptions(mask: .causal, window: 3) }
    #expect(window.occurrences(of: "\\\"sliding_window_length\\\": 3") == 2)
    // Where positions are not indices, and without a causal mask, keys are hidden by a bias.
    let shifted = text(queries: 4) { _, _ in AttentionOptions(mask: .causal) }
    let local = text { _, _ in AttentionOptions(window: 3) }
    for text in [shifted, local] {
      #expect(text.contains("__cudnn$fmhaScaleBiasSoftmaxBackward"))
      #expect(!text.contains("\\\"CAUSAL\\\""))
    }
  }

  @Test func groupedHeadsAreNotRepeated() {
    let text = text(keyHeads: 2) { _, _ in AttentionOptions() }
    let calls = text.split(separator: "\n").filter { $0.contains("custom_call") }
    #expect(calls.count == 2)
    #expect(calls.allSatisfy { $0.contains("tensor<2x6x2x64xbf16>") })
    // The keys' gradient.
    #expect(calls.contains { $0.contains("tensor<2x2x6x64xbf16>") })
  }

  /// A bias in the queries' type is cuDNN's; its own gradient is computed beside.
  @Test func biasesUseCuDNN() {
    let biased = text { bias, _ in AttentionOptions(bias: bias) }
    #expect(biased.contains("__cudnn$fmhaScaleBiasSoftmaxBackward"))
    #expect(!biased.contains("stablehlo.exponential"))
    let wide = text { bias, _ in AttentionOptions(bias: bias.cast(to: .float32)) }
    let capped = text { _, _ in AttentionOptions(softCap: 50) }
    for text in [wide, capped] {
      #expect(!text.contains("__cudnn") && text.contains("stablehlo.exponential"))
    }
  }

  /// What cuDNN makes of a query whose keys are all hidden is replaced by zeros.
  @Test func queriesWithoutKeysAreSelected() {
    let text = text { _, lengths in AttentionOptions(mask: .keys(lengths)) }
    #expect(text.contains("__cudnn$fmhaScaleBiasSoftmaxBackward"))
    // Whether a query sees any key, for the output and for its cotangent.
    #expect(text.contains("\"stablehlo.or\""))
  }
}
