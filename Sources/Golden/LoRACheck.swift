import Layers
import Models
import Runtime
import Tensors
import Weights

extension GoldenCase {
  /// The settings of a case of LoRA files.
  private struct LoRASettings: Decodable {
    let packed_grid: [Int]
    let runs: [Run]

    /// One output: the network with these files at these scales.
    struct Run: Decodable {
      let name: String
      let files: [String]
      let scales: [Double]
    }
  }

  /// Checks a transformer with files of LoRA by the class that the case names.
  func checkLoRAFiles(on client: Client) throws -> [Comparison] {
    switch config.cls {
    case "QwenImageTransformer2DModel": return try checkQwenImageWithLoRA(on: client)
    default: throw fail("the class of its network, \(config.cls ?? "null"), is not known")
    }
  }

  private func checkQwenImageWithLoRA(on client: Client) throws -> [Comparison] {
    let sizes: QwenImageConfig = try transformerConfig()
    let settings: LoRASettings = try settings()
    guard settings.packed_grid.count == 2, settings.packed_grid.allSatisfy({ $0 > 0 }) else {
      throw fail("its packed_grid is \(settings.packed_grid), and two sizes were expected")
    }
    let grid = TokenGrid(height: settings.packed_grid[0], width: settings.packed_grid[1])
    let packed = try input("packed", shape: [nil, grid.count, sizes.inputFeatures])
    let rows = packed.rowCount
    var used = Named([
      ("packed", packed), ("t", try input("t", shape: [rows])),
      ("txt", try input("txt", shape: [rows, nil, sizes.textWidth])),
    ])
    if inputs["txt_mask"] != nil {
      used["txt_mask"] = try input("txt_mask", shape: [rows, used["txt"]!.shape[1]])
    }
    let specs = Scope.declare { QwenImage($0, sizes) }
    var weights = try loadedWeights(specs, names: { _ in sizes.names }, on: client)
    for (number, run) in settings.runs.enumerated() {
      let adapters = try adapters(run, specs, layouts: sizes.layouts, on: client)
      weights.merge(adapters.prefixed("run\(number)"))
    }
    return try compare(weights: weights, inputs: used, on: client) { weights, inputs in
      let base = weights.filter { specs[$0] != nil }
      let outputs = settings.runs.enumerated().map { number, run in
        let network = Scope.bind(base.merging(weights.group("run\(number)"))) {
          QwenImage($0, sizes)
        }
        return (
          run.name,
          network(
            inputs["packed"]!, grids: [grid], text: inputs["txt"]!, validText: inputs["txt_mask"],
            time: inputs["t"]!, target: inputs["t"]!)
        )
      }
      return Named(outputs)
    }
  }

  /// The adapters of a run.
  private func adapters(
    _ run: LoRASettings.Run, _ specs: Named<ParameterSpec>, layouts: [NameMap], on client: Client
  ) throws -> Named<ShardedArray> {
    guard run.files.count == run.scales.count else {
      throw fail("its run \(run.name) has \(run.files.count) files and \(run.scales.count) scales")
    }
    return try naming {
      try zip(run.files, run.scales).enumerated().reduce(into: Named()) { all, file in
        let (name, scale) = file.element
        let fitted = try LoRAFile(path: "\(path)/\(name).safetensors")
          .fitted(to: specs, layouts: layouts, network: "the case's network")
        all.merge(try fitted.load(as: "file\(file.offset)", scale: scale, on: client))
      }
    }
  }
}
