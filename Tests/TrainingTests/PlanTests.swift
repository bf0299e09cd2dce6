import PJRT
import Testing

@testable import Tensors
@testable import Training

@Suite struct PlanTests {
  private func plan(_ settings: String...) throws -> Plan {
    let base = [
      "model={kind: dit, patch: 7, width: 64, depth: 4, heads: 8, execution: recomputed}",
      "batch=16",
    ]
    return try Plan(
      tinyRecipe("unused", base + settings),
      on: Client(Plugin.load(), options: ["cpu_device_count": 8]))
  }

  @Test func oneDeviceHoldsEverything() throws {
    let plan = try plan()
    let bytes = 4 * plan.weights
    let memory = plan.memory
    #expect(memory.weights == bytes && memory.gradients == bytes && memory.moments == 2 * bytes)
    // The target network's average and the one for generation.
    #expect(memory.averages == 2 * bytes && memory.further == 0)
    #expect(memory.total >= 5 * bytes && memory.activations > 0)
    #expect(plan.communication == 0)
    // At least the matrix multiplications of every row, forward and backward: 6 FLOPs per weight
    // and token.
    #expect(plan.flops > 6 * 12 * 64 * 64 * 4 * 16 * 16 / 2)
  }

  @Test func manyDevicesShareWeightsAndWork() throws {
    let (one, eight) = (try plan(), try plan("mesh={fsdp: 4, tensor: 2}"))
    #expect(Double(eight.memory.weights) < 0.2 * Double(one.memory.weights))
    #expect(Double(eight.memory.moments) < 0.2 * Double(one.memory.moments))
    #expect(eight.flops < 0.2 * one.flops)
    #expect(eight.communication > 0)
  }

  @Test func threeNetworksNeedMore() throws {
    let own = try plan()
    let three = try plan("objective={kind: distribution-matching}", "start=base.safetensors")
    // A frozen teacher, and a network of fakes with its moments.
    #expect(three.memory.further == 4 * own.memory.weights)
  }
}
