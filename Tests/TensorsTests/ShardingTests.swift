import Runtime
import TestSupport
import Testing

@testable import Tensors

@Suite struct ShardingTests {
  private static let mesh = Mesh(data: 1, fsdp: 2, tensor: 2)

  /// The results of a function on one device and on four, and its text for four.
  private func run(
    _ inputs: [(shape: Shape, sharding: Sharding)], mesh: Mesh = mesh,
    _ body: ([Tensor]) -> [Tensor]
  ) throws -> (one: [[Float]], four: [[Float]], text: String) {
    let client = try SharedClient.get(devices: 4)
    let types = Named(
      inputs.enumerated().map { ("in\($0)", TensorType($1.shape, .float32)) })
    let shardings = Named(inputs.enumerated().map { ("in\($0)", $1.sharding) })
    var generator = SeededGenerator(1)
    let values = inputs.map { input in
      (0..<input.shape.count).map { _ in Float.random(in: -1...1, using: &generator) }
    }
    func results(_ mesh: Mesh?) throws -> ([[Float]], String) {
      let function = try CompiledFunction(client, mesh: mesh, types, shardings: shardings) {
        Named(body($0.values).enumerated().map { ("out\($0)", $1) })
      }
      let arguments = try types.names.enumerated().map { i, name in
        let array = try ShardedArray(
          values[i], shape: inputs[i].shape, inputs[i].sharding, over: mesh, on: client)
        return (name, array)
      }
      return (
        try function(Named(arguments)).values.map { try $0.array(of: Float.self) },
        function.program.text
      )
    }
    let (one, (four, text)) = (try results(nil).0, try results(mesh))
    return (one, four, text)
  }

  private func expectEqual(
    _ results: (one: [[Float]], four: [[Float]], text: String),
    location: SourceLocation = #_sourceLocation
  ) {
    for (a, b) in zip(results.one, results.four) {
      let worst = zip(a, b).map { abs($0 - $1) }.max() ?? 0
      #expect(a.count == b.count && worst <= 1e-5, sourceLocation: location)
    }
  }

  @Test(arguments: [false, true]) func attentionIsShardedByHeads(isPacked: Bool) throws {
    let packed = Shape([4, 6, 3, 8, 4])
    let results = try run([
      (packed, Sharding([.batch, nil, nil, .heads])),
      ([4, 6, 8, 4], Sharding([.batch, nil, .heads])),
    ]) { inputs in
      func attention(_ x: Tensor) -> Tensor {
        if isPacked { return x.selfAttention() }
        let parts = x.split(3, axis: 2).map { $0.reshape([4, 6, 8, 4]) }
        return parts[0].attention(keys: parts[1], values: parts[2])
      }
      let y = attention(inputs[0])
      let loss = (y * inputs[1]).sum()
      return [y, loss.gradients(for: Named([("x", inputs[0])]))["x"]!]
    }
    expectEqual(results)
    #expect(results.text.contains("sdy.manual_computation"))
  }

  /// Heads that share keys stay together; what all samples or heads share is on every device.
  @Test(arguments: [2, 8, 1]) func attentionOptionsAreSharded(keyHeads: Int) throws {
    let keys = Shape([4, 6, keyHeads, 4])
    let split = Sharding([.batch, nil, .heads])
    let results = try run([
      ([4, 6, 8, 4], split), (keys, keyHeads == 1 ? Sharding([.batch]) : split),
      (keys, .replicated),
      ([1, 8, 6, 6], .replicated),
    ]) { inputs in
      let lengths = Tensor.constant([3, 0, 6, 5] as [Int32], shape: [4])
      let y = inputs[0].attention(
        keys: inputs[1], values: inputs[2],
        AttentionOptions(mask: .causal & .keys(lengths), bias: inputs[3], window: 4))
      let named = Named(inputs.enumerated().map { ("\($0)", $1) })
      return [y] + (y * y.sin()).sum().gradients(for: named).values
    }
    expectEqual(results)
    // One head of keys has no parts for several devices.
    #expect(results.text.contains("sdy.manual_computation") == (keyHeads > 1))
  }
}
