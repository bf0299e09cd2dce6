import Runtime
import Flow
import Layers
import Models
import Tensors
import TestSupport
import Testing

/// The published networks, spread over devices by samples, weights and features.
@Suite struct MeshNetworkTests {
  private static let mesh = Mesh(fsdp: 2, tensor: 2)

  /// Values and gradients of a network on one device and on the mesh.
  func expectEqual(
    _ specs: Named<ParameterSpec>, _ inputs: Named<Numbers>,
    _ network: (Named<Tensor>, Named<Tensor>) -> Tensor
  ) throws {
    let client = try SharedClient.get(devices: 4)
    let shardings = specs.shardings.prefixed("weights")
      .merging(inputs.mapValues { _ in Sharding([.batch]) })
    let given = specs.random().prefixed("weights").merging(inputs)
    func run(_ mesh: Mesh?) throws -> Named<[Float]> {
      let arguments = try given.map { name, numbers in
        let shape = Shape(numbers.shape)
        let sharding = mesh == nil ? Sharding.replicated : shardings[name]!
        if numbers.dtype == .int32 {
          let values = numbers.values.map { Int32($0) }
          return try ShardedArray(values, shape: shape, sharding, over: mesh, on: client)
        }
        let values = numbers.values.map { Float($0) }
        return try ShardedArray(values, shape: shape, sharding, over: mesh, on: client)
      }
      let function = try CompiledFunction(
        client, mesh: mesh, arguments.types, shardings: mesh == nil ? Named() : shardings
      ) { arguments in
        let weights = arguments.group("weights")
        let value = network(weights, arguments)
        return Named([("value", value)]).merging(
          (value * value).sum().gradients(for: weights).prefixed("gradients"))
      }
      return try function(arguments).mapValues { try $0.array() }
    }
    let (one, four) = try (run(nil), run(Self.mesh))
    for (name, values) in one.pairs {
      let largest = Double(values.map { abs($0) }.max() ?? 0)
      expectClose(
        four[name]!.map { Double($0) }, values.map { Double($0) }, relative: 1e-3,
        absolute: 1e-4 * max(1, largest), name)
    }
  }

  @Test func qwenImage() throws {
    var config = QwenImageTests.config
    (config.execution, config.hasCleanReferences) = (.scanned, true)
    let inputs = Named([
      ("x", Numbers.random([4, 4, 6, 2], seed: 5, .float32)),
      ("t", Numbers([0.9, -0.5, 0.2, 1], nil, .float32)),
      ("tt", Numbers([0.3, -0.75, 0.2, 0], nil, .float32)),
      ("text", .random([4, 5, 6], seed: 6, .float32)),
      ("text_mask", Numbers([4, 5], .int32) { $0[1] < 5 - $0[0] ? 1 : 0 }),
      ("reference.0", .random([4, 2, 4, 2], seed: 7, .float32)),
    ])
    try expectEqual(Scope.declare { QwenImage($0, config) }, inputs) { weights, inputs in
      Scope.bind(weights) { QwenImage($0, config) }(
        inputs["x"]!, time: inputs["t"]!, target: inputs["tt"]!,
        condition: inputs.filter { $0.hasPrefix("text") || $0.hasPrefix("reference") })
    }
  }

  @Test func zImage() throws {
    var config = ZImageTests.config
    // Axes that are spread over devices are even.
    (config.width, config.heads, config.execution) = (16, 2, .scanned)
    let inputs = Named([
      ("x", Numbers.random([4, 4, 6, 3], seed: 5, .float32)),
      ("t", Numbers([0.9, -0.5, 0.2, 1], nil, .float32)),
      ("tt", Numbers([0.3, -0.75, 0.2, 0], nil, .float32)),
      ("text", .random([4, 35, 6], seed: 6, .float32)),
      ("text_mask", Numbers([4, 35], .int32) { $0[1] < 35 - 9 * $0[0] ? 1 : 0 }),
    ])
    try expectEqual(Scope.declare { ZImage($0, config) }, inputs) { weights, inputs in
      Scope.bind(weights) { ZImage($0, config) }(
        inputs["x"]!, time: inputs["t"]!, target: inputs["tt"]!,
        condition: inputs.filter { $0.hasPrefix("text") })
    }
  }

  @Test func sd3() throws {
    var config = SD3Tests.config
    config.execution = .scanned
    let inputs = Named([
      ("x", Numbers.random([4, 4, 6, 3], seed: 5, .float32)),
      ("t", Numbers([0.9, -0.5, 0.2, 1], nil, .float32)),
      ("tt", Numbers([0.3, -0.75, 0.2, 0], nil, .float32)),
      ("text", .random([4, 5, 6], seed: 6, .float32)),
      ("text_mask", Numbers([4], .int32) { Double(5 - $0[0]) }),
      ("pooled", .random([4, 5], seed: 7, .float32)),
    ])
    try expectEqual(Scope.declare { SD3($0, config) }, inputs) { weights, inputs in
      Scope.bind(weights) { SD3($0, config) }(
        inputs["x"]!, time: inputs["t"]!, target: inputs["tt"]!,
        condition: inputs.filter { $0.hasPrefix("text") || $0 == "pooled" })
    }
  }

  @Test func classDiT() throws {
    let config = ClassDiTTests.config
    let inputs = Named([
      ("x", Numbers.random([4, 4, 4, 2], seed: 5, .float32)),
      ("t", Numbers([0.9, -0.5, 0.25, 1], nil, .float32)),
      ("class", Numbers([0, 1, 3, 2], nil, .int32)),
    ])
    try expectEqual(Scope.declare { ClassDiT($0, config) }, inputs) { weights, inputs in
      Scope.bind(weights) { ClassDiT($0, config) }(
        inputs["x"]!, timestep: inputs["t"]! * 1000, classes: inputs["class"]!)
    }
  }

  @Test func autoencoderKL() throws {
    let config = AutoencoderKLTests.config
    let inputs = Named([("image", Numbers.random([4, 4, 6, 3], seed: 3, .float32))])
    try expectEqual(Scope.declare { AutoencoderKL($0, config) }, inputs) { weights, inputs in
      let network = Scope.bind(weights) { AutoencoderKL($0, config) }
      return network.decode(network.encode(inputs["image"]!).mean)
    }
  }
}
