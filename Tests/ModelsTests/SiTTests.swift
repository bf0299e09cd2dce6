import Flow
import Layers
import Models
import Tensors
import TestSupport
import Testing
import Weights

@Suite struct SiTTests {
  static let config: SiTConfig = {
    var config = SiTConfig()
    (config.size, config.width, config.depth, config.heads) = (8, 16, 2, 2)
    (config.classes, config.hasTargetTime) = (5, true)
    config.execution = .unrolled
    return config
  }()
  static let weights = Scope.declare { SiT($0, config) }

  static func inputs() -> Named<Numbers> {
    Named([
      ("x", Numbers.random([2, 4, 6, 4], seed: 1)), ("t", Numbers([0.9, 0.4], [2])),
      ("tt", Numbers([0, 0.1], [2])),
    ])
  }

  private static func run(
    _ weights: Named<Tensor>, _ inputs: Named<Tensor>, _ config: SiTConfig = config
  ) -> Tensor {
    Scope.bind(weights) { SiT($0, config) }(
      inputs["x"]!, time: inputs["t"]!, target: inputs["tt"]!,
      condition: Named([("class", Tensor.constant([Int32(1), 5], shape: [2]))]))
  }

  @Test("However the blocks are run, values and gradients are the same") func executions() throws {
    let given = Self.inputs().merging(Self.weights.random().prefixed("weights"))
    let gradients = try expectEqualExecutions(given) { weights, inputs, execution in
      var config = Self.config
      config.execution = execution
      return Self.run(weights, inputs, config)
    }
    #expect(gradients.count == Self.weights.count)
    // The same number added to all keys has no effect.
    for (name, gradient) in gradients.pairs where !name.hasSuffix("to_k.bias") {
      #expect(gradient.values.contains { abs($0) > 1e-7 }, "the gradient of \(name)")
    }
  }

  @Test("At t = tt, and without its second embedder, it is the published network")
  func equalTimes() throws {
    let given = Self.inputs().merging(Self.weights.random().prefixed("weights"))
    let results = try evaluate(given) { inputs in
      var config = Self.config
      config.hasTargetTime = false
      let weights = inputs.group("weights")
      let ordinary = weights.filter { !$0.hasPrefix("t_embedder_2") }
      func with(_ t: Tensor, _ tt: Tensor) -> Tensor {
        var changed = inputs
        (changed["t"], changed["tt"]) = (t, tt)
        return Self.run(weights, changed)
      }
      let (t, tt) = (inputs["t"]!, inputs["tt"]!)
      return Named([
        ("equal", with(t, t)), ("ordinary", Self.run(ordinary, inputs, config)),
        ("apart", with(t, tt)), ("twin", with(-t, -t)),
      ])
    }
    #expect(results["equal"] == results["ordinary"])
    for row in 0..<2 {
      let equal = results["equal"]!.row(row)
      #expect(results["apart"]!.row(row) != equal && results["twin"]!.row(row) != equal)
    }
  }

  /// The published names, of which the config follows.
  @Test func publishedWeightsAreRecognized() throws {
    var config = Self.config
    config.hasTargetTime = false
    let specs = Scope.declare { SiT($0, config) }
    let shapes = specs.mapValues(\.shape)
    var arrays = Named<TensorType>([("pos_embed", TensorType([1, 16, 16], .float32))])
    for name in specs.names {
      for piece in config.names.arrays(of: name, shapes: shapes) {
        let shape: Shape =
          switch piece {
          case let qkv where qkv.hasSuffix("attn.qkv.weight"): [48, 16]
          case let qkv where qkv.hasSuffix("attn.qkv.bias"): [48]
          default:
            name.contains("*") ? Shape(Array(shapes[name]!.sizes.dropFirst())) : shapes[name]!
          }
        arrays[piece] = TensorType(shape, .float32)
      }
    }
    #expect(arrays.names.contains("blocks.1.attn.proj.weight"))
    #expect(arrays.names.contains("final_layer.adaLN_modulation.1.bias"))
    let found = try RecognizedWeights(arrays, like: ModelConfig(config), path: "weights.pt")
    guard case .network(let model, _)? = found else {
      Issue.record("not recognized")
      return
    }
    #expect(model == ModelConfig(config))
    // Without a config the heads are those of the published network of that width.
    guard case .network(let other, _)? = try RecognizedWeights(arrays, path: "weights.pt"),
      let sizes = other.architecture as? SiTConfig
    else {
      Issue.record("not recognized")
      return
    }
    #expect(sizes.heads == 1 && sizes.classes == 5 && sizes.hasVariances && sizes.depth == 2)
  }
}
