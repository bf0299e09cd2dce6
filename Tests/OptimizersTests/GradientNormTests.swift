import Optimizers
import Tensors
import TestSupport
import Testing

@Suite struct GradientNormTests {
  @Test(arguments: [DType.float32, .float64, .bfloat16])
  func clipping(_ dtype: DType) throws {
    let gradients = [Numbers([3, 0], nil, dtype), Numbers([4], [], dtype)]
    let results = try evaluate(gradients) { tensors in
      let named = Named(zip(["a", "b"], tensors))
      let (cut, norm) = named.clipped(toNorm: 1)
      return cut.values + named.clipped(toNorm: 10).values.values + [norm, named.globalNorm()]
    }
    let relative = dtype == .bfloat16 ? 1e-2 : 1e-6
    expectClose(results[0].values, [0.6, 0], relative: relative)
    expectClose(results[1].values, [0.8], relative: relative)
    #expect(results[2].values == [3, 0] && results[3].values == [4])
    #expect(results[4].values == [5] && results[5].values == [5])
    #expect(results[0].dtype == dtype && results[4].dtype == .float32)
  }

  @Test func zeroGradientsStayZero() throws {
    let result = try evaluate([Numbers([0, 0], nil, .float32)]) {
      Named([("a", $0[0])]).clipped(toNorm: 1).values.values
    }
    #expect(result[0].values == [0, 0])
  }
}
