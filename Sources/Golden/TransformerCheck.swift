import Layers
import Models
import Tensors
import Weights

extension GoldenCase {
  /// Checks a transformer by the class that the case names.
  func checkTransformer(on client: Client) throws -> [Comparison] {
    switch config.cls {
    case "DiTTransformer2DModel": return try checkClassDiT(on: client)
    case "QwenImageTransformer2DModel", "QwenImageTransformer2DModelWrapper":
      return try checkQwenImage(on: client)
    case "ZImageTransformer2DModel", "ZImageTransformer2DModelWrapper":
      return try checkZImage(on: client)
    case SiTConfig.className: return try checkSiT(on: client)
    case "SD3Transformer2DModel", "SD3Transformer2DModelWrapper": return try checkSD3(on: client)
    case "SanaTransformer2DModel", "SanaTransformer2DModelWrapper":
      return try checkSana(on: client)
    default: throw fail("the class of its network, \(config.cls ?? "null"), is not known")
    }
  }

  private func checkClassDiT(on client: Client) throws -> [Comparison] {
    let sizes: ClassDiTConfig = try networkConfig()
    let latents = try latents("latents", channels: sizes.channels, multiple: sizes.patch)
    let labels = try labels(rows: latents.rowCount, classes: sizes.classes)
    var used = Named([("latents", latents), ("labels", labels)])
    let sets = try timeSets(rows: latents.rowCount, targets: false, &used)
    return try compare(
      Scope.declare { ClassDiT($0, sizes) }, names: { _ in sizes.names },
      ignoring: ClassDiTConfig.isUnused, inputs: used, on: client
    ) { weights, inputs in
      let network = Scope.bind(weights) { ClassDiT($0, sizes) }
      let outputs = sets.map { set in
        let output = network(
          inputs["latents"]!.channelsLast, timestep: inputs["t_\(set)"]! * 1000,
          classes: inputs["labels"]!.cast(to: .int32))
        return ("raw_\(set)", output.channelsFirst)
      }
      return Named(outputs)
    }
  }

  private func checkQwenImage(on client: Client) throws -> [Comparison] {
    let sizes: QwenImageConfig = try transformerConfig()
    let channels = sizes.inputFeatures / (sizes.patch * sizes.patch)
    let latents = try latents("latents", channels: channels, multiple: sizes.patch)
    let rows = latents.rowCount
    var used = Named([("latents", latents)])
    used["txt"] = try input("txt", shape: [rows, nil, sizes.textWidth])
    let textTokens = used["txt"]!.shape[1]
    guard textTokens > 0 else { throw fail("its input txt has no tokens") }
    if inputs["txt_mask"] != nil {
      used["txt_mask"] = try input("txt_mask", shape: [rows, textTokens])
    }
    let references = inputs.names.filter { $0.hasPrefix("ref") }.sorted()
    for name in references {
      let reference = try self.latents(name, channels: channels, multiple: sizes.patch)
      guard reference.rowCount == rows else {
        throw fail("its input \(name) has \(reference.rowCount) rows, and latents \(rows)")
      }
      used[name] = reference
    }
    let sets = try timeSets(rows: rows, targets: sizes.hasTargetTime, &used)
    return try compare(
      Scope.declare { QwenImage($0, sizes) }, names: ModelConfig(sizes).names(in:),
      ignoring: sizes.ignores, inputs: used, on: client
    ) { weights, inputs in
      let network = Scope.bind(weights) { QwenImage($0, sizes) }
      let images = (["latents"] + references).map { inputs[$0]!.channelsLast }
      var condition = Named([("text", inputs["txt"]!)])
      condition["text_mask"] = inputs["txt_mask"]
      for (number, image) in images.dropFirst().enumerated() {
        condition["reference.\(number)"] = image
      }
      let tokens = Tensor.concatenate(images.map { $0.patchTokens(sizes.patch) }, axis: 1)
      let grids = images.map {
        TokenGrid(height: $0.shape[1] / sizes.patch, width: $0.shape[2] / sizes.patch)
      }
      var results = Named([("packed_input", images[0].patchTokens(sizes.patch))])
      for set in sets {
        let time = inputs["t_\(set)"]!
        let target = inputs["tt_\(set)"] ?? time
        for name in ["packed_\(set)", "raw_\(set)"] where expected[name] != nil {
          results[name] = network(
            tokens, grids: grids, text: inputs["txt"]!, validText: inputs["txt_mask"], time: time,
            target: target)
        }
        if expected["gen_\(set)"] != nil {
          let velocity = network(images[0], time: time, target: target, condition: condition)
          results["gen_\(set)"] = velocity.channelsFirst
        }
      }
      return results
    }
  }

  private func checkZImage(on client: Client) throws -> [Comparison] {
    let sizes: ZImageConfig = try transformerConfig()
    let latents = try latents("latents", channels: sizes.channels, multiple: sizes.patch)
    let rows = latents.rowCount
    var used = Named([("latents", latents)])
    used["txt"] = try input("txt", shape: [rows, nil, sizes.textWidth])
    let textTokens = used["txt"]!.shape[1]
    guard textTokens > 0 else { throw fail("its input txt has no tokens") }
    if inputs["txt_mask"] != nil {
      used["txt_mask"] = try input("txt_mask", shape: [rows, textTokens])
    }
    let sets = try timeSets(rows: rows, targets: sizes.hasTargetTime, &used)
    return try compare(
      Scope.declare { ZImage($0, sizes) }, names: ModelConfig(sizes).names(in:),
      ignoring: sizes.ignores, inputs: used, on: client
    ) { weights, inputs in
      let network = Scope.bind(weights) { ZImage($0, sizes) }
      let (image, text) = (inputs["latents"]!.channelsLast, inputs["txt"]!)
      var condition = Named([("text", text)])
      condition["text_mask"] = inputs["txt_mask"]
      var results = Named<Tensor>()
      for set in sets {
        let time = inputs["t_\(set)"]!
        let target = inputs["tt_\(set)"] ?? time
        if expected["raw_\(set)"] != nil {
          let output = network.output(
            image, text: text, validText: inputs["txt_mask"], time: time, target: target)
          results["raw_\(set)"] = output.channelsFirst
        }
        if expected["gen_\(set)"] != nil {
          let velocity = network(image, time: time, target: target, condition: condition)
          results["gen_\(set)"] = velocity.channelsFirst
        }
      }
      return results
    }
  }

  private func checkSD3(on client: Client) throws -> [Comparison] {
    let sizes: SD3Config = try transformerConfig()
    let latents = try latents("latents", channels: sizes.channels, multiple: sizes.patch)
    let rows = latents.rowCount
    guard latents.shape[2...].allSatisfy({ $0 <= sizes.positionTable * sizes.patch }) else {
      throw fail("its input latents is \(latents.shape), larger than its table of positions")
    }
    var used = Named([("latents", latents)])
    used["txt"] = try input("txt", shape: [rows, nil, sizes.textWidth])
    used["pooled"] = try input("pooled", shape: [rows, sizes.pooledWidth])
    guard used["txt"]!.shape[1] > 0 else { throw fail("its input txt has no tokens") }
    let sets = try timeSets(rows: rows, targets: sizes.hasTargetTime, &used)
    return try compare(
      Scope.declare { SD3($0, sizes) }, names: ModelConfig(sizes).names(in:),
      ignoring: sizes.ignores, inputs: used, on: client
    ) { weights, inputs in
      let network = Scope.bind(weights) { SD3($0, sizes) }
      let condition = Named([("text", inputs["txt"]!), ("pooled", inputs["pooled"]!)])
      var results = Named<Tensor>()
      for set in sets {
        let time = inputs["t_\(set)"]!
        let velocity = network(
          inputs["latents"]!.channelsLast, time: time, target: inputs["tt_\(set)"] ?? time,
          condition: condition)
        // The published wrapper has the sign of the flow.
        for name in ["raw_\(set)", "gen_\(set)"] where expected[name] != nil {
          results[name] = velocity.channelsFirst
        }
      }
      return results
    }
  }

  /// The config of a published transformer, with a second time embedder where its weights have one.
  ///
  /// - Throws: `GoldenError.wrongCase` where the config or the weights cannot be read.
  func transformerConfig<Config: PublishedTransformer>() throws -> Config {
    let config: Config = try networkConfig()
    return try naming { config.matching(try WeightFiles(path: modelPath).types.names) }
  }

  /// An input of shape `[batch, channels, height, width]`.
  ///
  /// - Parameter multiple: the number that must divide height and width.
  /// - Throws: `GoldenError.wrongCase` where it is missing or of another shape.
  func latents(_ name: String, channels: Int, multiple: Int) throws -> HostArray {
    let array = try input(name, shape: [nil, channels, nil, nil])
    guard array.shape.allSatisfy({ $0 > 0 }), array.shape[2] % multiple == 0,
      array.shape[3] % multiple == 0
    else {
      throw fail(
        "its input \(name) is \(array.shape), and height and width must be multiples of "
          + "\(multiple)")
    }
    return array
  }

  /// The input of classes; the number of classes itself stands for none.
  ///
  /// - Throws: `GoldenError.wrongCase` where it is missing, or has other numbers.
  func labels(rows: Int, classes: Int) throws -> HostArray {
    let labels = try input("labels", shape: [rows])
    guard labels.values.allSatisfy({ $0 >= 0 && $0 <= Float(classes) }) else {
      throw fail("its input labels has values other than 0 to \(classes)")
    }
    return labels
  }

  /// The names of the pairs of times of the expected outputs: `raw_a` is the output at `t_a` and
  /// `tt_a`, which are added to the used inputs.
  func timeSets(
    rows: Int, targets: Bool, _ used: inout Named<HostArray>
  ) throws -> [String] {
    var sets: [String] = []
    for name in expected.names where name != "packed_input" {
      guard let underscore = name.lastIndex(of: "_") else { continue }
      let set = String(name[name.index(after: underscore)...])
      guard !sets.contains(set) else { continue }
      sets.append(set)
      for time in targets ? ["t_\(set)", "tt_\(set)"] : ["t_\(set)"] {
        used[time] = try input(time, shape: [rows])
      }
    }
    return sets
  }
}

extension Tensor {
  /// Images converted from channels first to channels last.
  var channelsLast: Tensor { transpose([0, 2, 3, 1]) }
  /// Images converted from channels last to channels first.
  var channelsFirst: Tensor { transpose([0, 3, 1, 2]) }
}
