import Flow
import Layers
import Models
import Tensors
import TestSupport
import Testing

@Suite struct ZImageTests {
  static let config: ZImageConfig = {
    var config = ZImageConfig()
    (config.channels, config.width, config.depth, config.refinerDepth) = (3, 24, 2, 1)
    (config.heads, config.rotaryAxes, config.textWidth) = (3, [4, 2, 2], 6)
    (config.times, config.execution) = (.signed, .unrolled)
    return config
  }()
  static let weights = Scope.declare { ZImage($0, config) }

  @Test func declaresThePublishedWeights() {
    var expected = ["x_pad_token [1, 24]", "cap_pad_token [1, 24]", "cap_embedder.0.weight [6]"]
    func linear(_ name: String, _ input: Int, _ output: Int) {
      expected += ["\(name).weight [\(output), \(input)]", "\(name).bias [\(output)]"]
    }
    for name in ["t_embedder", "t_embedder_2"] {
      linear("\(name).mlp.0", 256, 1024)
      linear("\(name).mlp.2", 1024, 24)
    }
    linear("all_x_embedder.2-1", 12, 24)
    linear("cap_embedder.1", 6, 24)
    linear("all_final_layer.2-1.linear", 24, 12)
    linear("all_final_layer.2-1.adaLN_modulation.1", 24, 24)
    for (stack, count) in [("noise_refiner", 1), ("context_refiner", 1), ("layers", 2)] {
      let block = "\(stack).*"
      for norm in ["attention_norm1", "attention_norm2", "ffn_norm1", "ffn_norm2"] {
        expected.append("\(block).\(norm).weight [\(count), 24]")
      }
      for norm in ["norm_q", "norm_k"] {
        expected.append("\(block).attention.\(norm).weight [\(count), 8]")
      }
      for map in ["to_q", "to_k", "to_v", "to_out.0"] {
        expected.append("\(block).attention.\(map).weight [\(count), 24, 24]")
      }
      expected.append("\(block).feed_forward.w1.weight [\(count), 64, 24]")
      expected.append("\(block).feed_forward.w2.weight [\(count), 24, 64]")
      expected.append("\(block).feed_forward.w3.weight [\(count), 64, 24]")
      guard stack != "context_refiner" else { continue }
      expected.append("\(block).adaLN_modulation.0.weight [\(count), 96, 24]")
      expected.append("\(block).adaLN_modulation.0.bias [\(count), 96]")
    }
    #expect(Self.weights.listing.sorted() == expected.sorted())
  }

  @Test("The network of the published size has as many weights as the published one")
  func size() {
    let weights = Scope.declare { ZImage($0, ZImageConfig()) }
    #expect(weights.elements == 6_154_908_736)
    let counts = weights.names.map { name in
      name.hasPrefix("layers.") ? 30 : name.contains("_refiner.") ? 2 : 1
    }
    #expect(counts.reduce(0, +) == 521)
  }

  @Test func everyLinearMapCanHaveLoRA() {
    let adapted = Scope.declare(lora: LoRA(rank: 1, alpha: 1)) { ZImage($0, Self.config) }
    let matrices = Self.weights.values.count { $0.isMatrix }
    #expect(adapted.names.count { $0.hasSuffix(".lora_A.weight") } == matrices)
    #expect(adapted["layers.*.attention.to_out.0.lora_A.weight"]?.shape == [2, 1, 24])
  }

  @Test("However the blocks are run, values and gradients are the same, and no gradient is 0")
  func executions() throws {
    let given = Self.inputs().merging(Self.weights.random().prefixed("weights"))
    let gradients = try expectEqualExecutions(given, relative: 1e-3) {
      weights, inputs, execution in
      var config = Self.config
      config.execution = execution
      return Self.run(weights, inputs, config)
    }
    for (name, gradient) in gradients.pairs {
      #expect(gradient.values.contains { abs($0) > 1e-7 }, "the gradient of \(name)")
    }
  }

  @Test("The program of a scanned stack has the same size whatever its depth")
  func depthsOfScannedStacks() {
    let sizes = [12, 60].map { depth in
      var config = Self.config
      (config.depth, config.execution) = (depth, .scanned)
      let weights = Scope.declare { ZImage($0, config) }.types().prefixed("weights")
      let inputs = Self.inputs().mapValues(\.type)
      return Program(weights.merging(inputs)) { given in
        Named([("y", Self.run(given.group("weights"), given, config))])
      }.text.split(separator: "\n").count
    }
    #expect(sizes[0] == sizes[1])
  }

  @Test("Texts of several lengths in a batch give what each gives alone")
  func lengths() throws {
    let given = Self.inputs().merging(Self.weights.random().prefixed("weights"))
    let results = try evaluate(given) { inputs in
      let weights = inputs.group("weights")
      var all = Named([("together", Self.run(weights, inputs))])
      for (row, length) in Self.lengths.enumerated() {
        var alone = inputs.filter { !$0.hasPrefix("weights") }.mapValues { $0[row..<row + 1] }
        alone["text"] = alone["text"]!.slice(1, 0..<length)
        alone["text_mask"] = nil
        all["\(row)"] = Self.run(weights, alone)
      }
      return all
    }
    for row in Self.lengths.indices {
      expectClose(
        results["together"]!.row(row), results["\(row)"]!, relative: 1e-4, absolute: 1e-4,
        "sample \(row)")
    }
  }

  @Test("Padding has no part, however it is named")
  func padding() throws {
    let given = Self.inputs().merging(Self.weights.random().prefixed("weights"))
    let results = try evaluate(given) { inputs in
      let weights = inputs.group("weights")
      func with(_ changes: (inout Named<Tensor>) -> Void) -> Tensor {
        var changed = inputs
        changes(&changed)
        return Self.run(weights, changed)
      }
      let other = inputs["text_mask"]!.expanded([2]).cast(to: .float32)
      return Named([
        ("whole numbers", Self.run(weights, inputs)),
        ("bools", with { $0["text_mask"] = inputs["text_mask"]!.greater(0) }),
        ("counts", with { $0["text_mask"] = inputs["text_mask"]!.sum([1]) }),
        ("other padding", with { $0["text"] = inputs["text"]! + (1 - other) * 3 }),
        ("no mask", with { $0["text_mask"] = nil }),
      ])
    }
    let expected = results["whole numbers"]!
    for name in ["bools", "counts", "other padding"] {
      expectClose(results[name]!, expected, relative: 1e-5, absolute: 1e-5, name)
    }
    for row in Self.lengths.indices {
      #expect(results["no mask"]!.row(row) != expected.row(row))
    }
  }

  @Test("Only signed times tell a point of the twin trajectory from its mirror image")
  func twins() throws {
    let given = Self.inputs().merging(Self.weights.random().prefixed("weights"))
    let results = try evaluate(given) { inputs in
      let weights = inputs.group("weights")
      let ordinary = weights.filter { !$0.hasPrefix("t_embedder_2") }
      func at(_ times: ZImageConfig.Times, _ t: Tensor, _ tt: Tensor) -> Tensor {
        var (config, changed) = (Self.config, inputs)
        (config.times, changed["t"], changed["tt"]) = (times, t, tt)
        return Self.run(times == .plain ? ordinary : weights, changed, config)
      }
      let (t, tt) = (inputs["t"]!.abs(), inputs["tt"]!.abs() * 0.5)
      return Named([
        ("signed", at(.signed, t, t)), ("signed twin", at(.signed, -t, -t)),
        ("released", at(.released, t, t)), ("released twin", at(.released, -t, -t)),
        ("plain", at(.plain, t, t)), ("signed to", at(.signed, t, tt)),
        ("released to", at(.released, t, tt)), ("signed twin to", at(.signed, -t, -tt)),
        ("released twin to", at(.released, -t, -tt)), ("end", at(.signed, t * 0 - 1, t * 0 - 1)),
        ("start", at(.signed, t * 0 + 1, t * 0 + 1)),
      ])
    }
    let plain = results["plain"]!
    #expect(results["signed"] == plain && results["released"] == plain)
    #expect(results["released twin"] == plain)
    // At positive times released weights mean the same.
    #expect(results["signed to"] == results["released to"])
    for row in Self.lengths.indices {
      func differ(_ a: String, _ b: String) {
        #expect(results[a]!.row(row) != results[b]!.row(row), "\(a), \(b), sample \(row)")
      }
      differ("signed twin", "signed")
      differ("signed to", "signed")
      differ("signed twin to", "released twin to")
      differ("end", "start")
    }
  }

  @Test("Signed times tell data from noise as targets")
  func dataAsTarget() throws {
    let given = Self.inputs().merging(Self.weights.random().prefixed("weights"))
    let results = try evaluate(given) { inputs in
      func at(_ times: ZImageConfig.Times, target: Double) -> Tensor {
        var (config, changed) = (Self.config, inputs)
        let one = inputs["t"]! * 0 + 1
        (config.times, changed["t"], changed["tt"]) = (times, one, one * target)
        return Self.run(inputs.group("weights"), changed, config)
      }
      return Named([
        ("data", at(.signed, target: 0)), ("noise", at(.signed, target: 1)),
        ("released data", at(.released, target: 0)), ("released noise", at(.released, target: 1)),
      ])
    }
    #expect(results["released data"] == results["released noise"])
    for row in Self.lengths.indices {
      #expect(results["data"]!.row(row) != results["noise"]!.row(row))
    }
  }

  @Test("The network's own time is 1 for data, and it predicts data minus noise")
  func ownTimes() throws {
    let given = Self.inputs().merging(Self.weights.random().prefixed("weights"))
    let results = try evaluate(given) { inputs in
      var all = Named<Tensor>()
      for times in ZImageConfig.Times.allCases {
        var config = Self.config
        config.times = times
        let weights = inputs.group("weights").filter {
          times != .plain || !$0.hasPrefix("t_embedder_2")
        }
        let network = Scope.bind(weights) { ZImage($0, config) }
        let (t, tt) = (inputs["t"]!, inputs["tt"]!)
        all["\(times)"] = network(
          inputs["x"]!, time: t, target: tt, condition: inputs.filter { $0.hasPrefix("text") })
        let own = [t, tt].map { $0.sign() * (1 - $0.abs()) }
        all["\(times) published"] = -network.output(
          inputs["x"]!, text: inputs["text"]!, validText: inputs["text_mask"], time: own[0],
          target: own[1])
      }
      return all
    }
    for times in ZImageConfig.Times.allCases {
      #expect(results["\(times)"] == results["\(times) published"])
    }
    #expect(results["plain"] != results["signed"] && results["released"] != results["signed"])
  }

  @Test("Of several patches, images have those of 2 × 2 in one frame")
  func patches() throws {
    var config = Self.config
    (config.patches, config.framePatches) = ([4, 2, 2], [1, 2, 1])
    #expect(config.patch == 2)
    let specs = Scope.declare { ZImage($0, config) }
    let shapes = ["4-1": 48, "2-2": 24, "2-1": 12]
    for (patch, features) in shapes {
      #expect(specs["all_x_embedder.\(patch).weight"]?.shape == [24, features])
      #expect(specs["all_final_layer.\(patch).linear.bias"]?.shape == [features])
    }
    let more = config
    let given = Self.inputs().merging(specs.random().prefixed("weights"))
    let results = try evaluate(given) { inputs in
      let weights = inputs.group("weights")
      let own = weights.filter { !$0.contains(".4-1.") && !$0.contains(".2-2.") }
      return Named([
        ("several", Self.run(weights, inputs, more)), ("one", Self.run(own, inputs)),
      ])
    }
    #expect(results["several"] == results["one"])
    config.framePatches = [1, 2, 3]
    #expect(config.patch == 4)
  }

  @Test func halfPrecisionStaysHalf() throws {
    let given = Self.inputs().merging(Self.weights.random().prefixed("weights"))
    let results = try evaluate(given) { inputs in
      var half = inputs
      half["x"] = inputs["x"]!.cast(to: .bfloat16)
      let weights = inputs.group("weights")
      return Named([("half", Self.run(weights, half)), ("single", Self.run(weights, inputs))])
    }
    #expect(results["half"]!.dtype == .bfloat16)
    let (half, single) = (results["half"]!.values, results["single"]!.values)
    let difference = zip(half, single).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    let norm = single.reduce(0) { $0 + $1 * $1 }
    #expect((difference / norm).squareRoot() < 0.1)
  }

  @Test("The order within a token is row, column, channel")
  func packing() throws {
    let image = Numbers([1, 4, 2, 2], .float32) { place in
      Double(100 * place[3] + 10 * place[1] + place[2])
    }
    let results = try evaluate(Named([("image", image)])) { inputs in
      let tokens = inputs["image"]!.patchTokens(2, order: .rowColumnChannel)
      return Named([
        ("tokens", tokens),
        (
          "image", tokens.imageOfTokens(height: 4, width: 2, patch: 2, order: .rowColumnChannel)
        ),
      ])
    }
    #expect(results["tokens"]!.values[..<8] == [0, 100, 1, 101, 10, 110, 11, 111])
    #expect(results["image"] == image)
  }

  private static let lengths = [3, 33, 32]

  private static func inputs() -> Named<Numbers> {
    Named([
      ("x", .random([3, 4, 6, 3], seed: 5, .float32)),
      ("t", Numbers([0.9, -0.5, 0.7], nil, .float32)),
      ("tt", Numbers([0.3, -0.75, 0.6], nil, .float32)),
      ("text", .random([3, 70, 6], seed: 6, .float32)),
      ("text_mask", Numbers([3, 70], .int32) { $0[1] < lengths[$0[0]] ? 1 : 0 }),
    ])
  }

  private static func run(
    _ weights: Named<Tensor>, _ inputs: Named<Tensor>, _ config: ZImageConfig = config
  ) -> Tensor {
    Scope.bind(weights) { ZImage($0, config) }(
      inputs["x"]!, time: inputs["t"]!, target: inputs["tt"]!,
      condition: inputs.filter { $0.hasPrefix("text") })
  }
}
