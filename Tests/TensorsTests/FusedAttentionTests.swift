import Foundation
import Testing

@testable import Tensors

/// What programs for a GPU say of attention; whether a GPU computes it is not seen here.
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
      let (x, mask) = (inputs["x"]!, mask ? inputs["mask"]! : nil)
      let y: Tensor
      if isPacked {
        y = x.selfAttention(mask: mask)
      } else {
        let parts = x.split(3, axis: 2).map { $0.reshape(sizes) }
        y = parts[0].attention(keys: parts[1], values: parts[2], mask: mask)
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
  func halfPrecisionIsCuDNNs(isPacked: Bool, mask: Bool) {
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

  @Test func aMeshIsSplitBySamplesAndHeads() {
    let text = text(.bfloat16, [4, 6, 4, 64], mesh: Mesh(fsdp: 2, tensor: 2))
    #expect(text.contains("sdy.manual_computation"))
    #expect(text.contains("\\\"dimensions\\\": [\\\"2\\\", \\\"2\\\", \\\"6\\\", \\\"6\\\"]"))
  }
}
