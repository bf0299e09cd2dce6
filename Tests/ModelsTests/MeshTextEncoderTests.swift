import Layers
import Models
import Tensors
import TestSupport
import Testing

extension MeshNetworkTests {
  private func expectEqual<Encoder: TextEncoder>(_: Encoder.Type, _ config: Encoder.Config) throws {
    let tokens = Numbers([4, 6], .int32) { Double(($0[0] * 5 + $0[1] * 3) % 11) }
    let mask = Numbers([4, 6], .int32) { $0[1] < 6 - $0[0] ? 1 : 0 }
    let inputs = Named([("tokens", tokens), ("mask", mask)])
    try expectEqual(Scope.declare { Encoder($0, config) }, inputs) { weights, inputs in
      let encoding = Scope.bind(weights) { Encoder($0, config) }(
        inputs["tokens"]!, valid: inputs["mask"]!.greater(0), hidden: [2], in: .float32)
      // Padding sees whatever it sees; every weight has a part in the rest.
      let seen = inputs["mask"]!.cast(to: .float32).expanded([2])
      let pooled = (encoding.projected ?? encoding.last.sum([1])).sum([-1], keep: true)
      return (encoding.last + encoding.hidden[2]!) * seen + pooled.expanded([1]) * 0.1 * seen
    }
  }

  /// With fewer heads of keys than devices to split them over too.
  @Test(arguments: [1, 2, 4]) func qwen3(_ keyHeads: Int) throws {
    var config = try TextEncoderTests.qwen3()
    (config.heads, config.execution) = (.init(4, keys: keyHeads, width: 4), .scanned)
    try expectEqual(Qwen3.self, config)
  }

  @Test func qwen2() throws { try expectEqual(Qwen2.self, TextEncoderTests.qwen2()) }

  @Test func qwen2_5VL() throws {
    try expectEqual(Qwen2_5VL.self, TextEncoderTests.qwen2_5VL())
  }

  @Test func gemma2() throws { try expectEqual(Gemma2.self, TextEncoderTests.gemma2()) }

  @Test func t5() throws { try expectEqual(T5Encoder.self, TextEncoderTests.t5()) }

  @Test func clip() throws { try expectEqual(CLIPText.self, TextEncoderTests.clip()) }
}
