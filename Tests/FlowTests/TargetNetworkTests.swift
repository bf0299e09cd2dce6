import Flow
import Tensors
import TestSupport
import Testing

@Suite struct TargetNetworkTests {
  @Test func theNumbersOfRecipes() {
    let targets = [0, 0.5, 1].map { TargetNetwork(emaDecay: $0) }
    #expect(targets == [.live, .average(decay: 0.5), .initial])
  }

  @Test(
    "The decay rises by half of the remaining difference, and the average uses the decay before")
  func ramp() throws {
    let live = Numbers([2, -4], nil, .float32)
    let results = try evaluate([Numbers([0, 0], nil, .float32), live]) { inputs in
      var average = RampedAverage(of: Named([("w", inputs[0])]))
      return (0..<4).flatMap { _ -> [Tensor] in
        average = average.updated(with: Named([("w", inputs[1])]), decay: 0.8)
        return [average.weights["w"]!, average.decay]
      }
    }
    var (value, decay) = ([0.0, 0], 0.0)
    for step in 0..<4 {
      value = zip(value, live.values).map { decay * $0 + (1 - decay) * $1 }
      decay += (1 - decay) * (0.8 - decay) * 0.5
      expectClose(results[2 * step].values, value, relative: 1e-6)
      expectClose(results[2 * step + 1].values, [decay], relative: 1e-6)
    }
    #expect(decay > 0.5 && decay < 0.8)
  }

  @Test func averages() throws {
    let results = try evaluate([Numbers([1, 2], nil, .float32), Numbers([5, 0], nil, .bfloat16)]) {
      Named([("w", $0[0])]).averaged(with: Named([("w", $0[1])]), decay: .constant(0.75, .float32))
        .values
    }
    #expect(results[0].values == [2, 1.5])
    #expect(results[0].dtype == .float32)
  }

  @Test func averagingOtherWeightsTraps() async {
    await #expect(processExitsWith: .failure) {
      let weights = Named([("w", Tensor.zeros([1], .float32))])
      _ = weights.averaged(with: Named(), decay: .constant(0.5, .float32))
    }
  }
}
