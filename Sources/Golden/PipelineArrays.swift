import Models
import Pictures
import Pipelines
import Runtime
import Tensors

extension ImagePipeline.Options {
  /// The options of cases: f32, and prompts padded to the longest alone.
  static var golden: Self {
    var options = Self()
    options.textMultiple = 1
    options.keepsComponents = true
    options.tiling = .never
    return options
  }
}

extension ImagePipeline.TextFeatures {
  /// The outputs of a text encoder by their published names.
  ///
  /// - Parameter padding: the id of padding in `input_ids`.
  func published(
    _ tokens: ImagePipeline.TextTokens, padding: Int32
  ) throws -> Named<HostArray> {
    guard tokens.joint.isEmpty else { return try joint(tokens) }
    let text = condition["text"]!
    let features = HostArray(try text.array(of: Float.self), text.type.shape.sizes)
    let longest = tokens.counts.max()!
    let ids = tokens.prompts.map(\.tokens).flatMap { row in
      row.map { Float($0) } + [Float](repeating: Float(padding), count: longest - row.count)
    }
    var found = Named([
      ("prompt_embeds", features), ("prompt_embeds_mask", .mask(counts, features.shape[1])),
      ("input_ids", HostArray(ids, [counts.count, longest])),
      ("attention_mask", .mask(tokens.counts, longest)),
    ])
    // Pipelines that drop padding keep the features of each prompt alone.
    for (row, count) in counts.enumerated() {
      let all = features.row(row)
      let width = all.shape[2]
      found["prompt_embeds_\(row)"] = HostArray(
        Array(all.values[..<(count * width)]), [count, width])
    }
    return found
  }
}

extension ImagePipeline.TextFeatures {
  /// The outputs of several text encoders that encode together.
  private func joint(_ tokens: ImagePipeline.TextTokens) throws -> Named<HostArray> {
    var found = Named<HostArray>()
    for (name, output) in [("text", "prompt_embeds"), (InputSpec.pooled, "pooled")] {
      let array = condition[name]!
      found[output] = HostArray(try array.array(of: Float.self), array.type.shape.sizes)
    }
    for (number, ids) in tokens.joint.enumerated() {
      found["input_ids_\(number + 1)"] = HostArray(
        ids.rows.flatMap { $0.map { Float($0) } }, [ids.rows.count, ids.rows[0].count])
    }
    return found
  }
}

extension ImagePipeline.References {
  /// The arrays of reference images by their published names.
  var published: Named<HostArray> {
    var found = Named<HostArray>()
    for (name, images) in [("condition_image", conditions), ("vae_image", images)] {
      for (number, image) in images.enumerated() {
        found["\(name)_\(number)"] = HostArray(
          image.values.map { Float($0) }, [image.height, image.width, 3])
      }
    }
    // The case has one of the equal frames of a patch.
    let count = patches.values.type.shape[0]
    let side = 14
    let all = HostArray(
      patches.values.array(of: Float.self), [count, 3, 2, side * side])
    found["pixel_values"] = HostArray(
      all.transposed([0, 2, 1, 3]).everyOther, [count, 3, side, side])
    found["image_grid_thw"] = HostArray(
      grids.flatMap { [1, Float($0.height), Float($0.width)] }, [grids.count, 3])
    return found
  }
}

extension HostArray {
  /// Of an array `[rows, 2, …]` the first of each pair.
  fileprivate var everyOther: [Float] {
    let width = values.count / shape[0] / 2
    return (0..<shape[0]).flatMap { values[2 * $0 * width..<(2 * $0 + 1) * width] }
  }
}

extension GoldenCase {
  /// An input that is an image of 8-bit RGB values, `[height, width, 3]`.
  func image(_ name: String) throws -> RGBImage {
    let array = try input(name, shape: [nil, nil, 3])
    return RGBImage(
      width: array.shape[1], height: array.shape[0], values: array.values.map { UInt8($0) })
  }
}

/// One evaluation of a pipeline's transformer.
struct NetworkCall {
  private let program: CompiledFunction
  private let arguments: Named<ShardedArray>
  private let shape: [Int]
  private let engine: Engine

  /// Compiles the network for latents of a shape, `[batch, height, width, channels]`.
  ///
  /// - Parameters:
  ///   - references: the latents of reference images.
  ///   - layers: the blocks that are left out.
  init(
    _ pipeline: ImagePipeline, _ texts: ImagePipeline.TextFeatures,
    _ references: Named<ShardedArray>, _ shape: [Int], skipping layers: Set<Int> = [],
    on engine: Engine
  ) throws {
    (self.shape, self.engine) = (shape, engine)
    let weights = try pipeline.transformer.component.load()
    arguments = weights.prefixed("weights").merging(
      texts.condition.merging(references).prefixed("condition"))
    var types = arguments.types
    types["x"] = TensorType(Shape(shape), .float32)
    for name in ["time", "target"] { types[name] = TensorType([shape[0]], .float32) }
    program = try engine.compile(types) { [transformer = pipeline.transformer] arguments in
      var network = transformer.bound(arguments.group("weights"))
      if let whole = network as? any LayerSkippingModel { network = whole.skipping(layers) }
      let y = network(
        arguments["x"]!, time: arguments["time"]!, target: arguments["target"]!,
        condition: arguments.group("condition"))
      return Named([("y", y)])
    }
  }

  /// The velocity of latents at a time.
  func callAsFunction(_ x: HostArray, time: Double, target: Double) throws -> HostArray {
    var given = arguments
    given["x"] = try engine.array(x.values, shape: shape)
    for (name, number) in [("time", time), ("target", target)] {
      given[name] = try engine.array(
        [Float](repeating: Float(number), count: shape[0]), shape: [shape[0]])
    }
    return HostArray(try program(given)["y"]!.array(of: Float.self), shape)
  }
}

extension HostArray {
  /// The elements at other axes: axis i of the result is axis `order[i]` of this array.
  func transposed(_ order: [Int]) -> HostArray {
    let sizes = order.map { shape[$0] }
    var strides = [Int](repeating: 1, count: shape.count)
    for axis in shape.indices.dropLast().reversed() {
      strides[axis] = strides[axis + 1] * shape[axis + 1]
    }
    let steps = order.map { strides[$0] }
    var index = [Int](repeating: 0, count: sizes.count)
    let result = (0..<values.count).map { _ -> Float in
      let value = values[zip(index, steps).reduce(0) { $0 + $1.0 * $1.1 }]
      for axis in sizes.indices.reversed() {
        index[axis] += 1
        if index[axis] < sizes[axis] { break }
        index[axis] = 0
      }
      return value
    }
    return HostArray(result, sizes)
  }

  /// Images converted from channels first to channels last.
  var channelsLast: HostArray { transposed([0, 2, 3, 1]) }

  /// Images converted from channels last to channels first.
  var channelsFirst: HostArray { transposed([0, 3, 1, 2]) }

  /// Latents `[batch, height, width, channels]` in the packing of Qwen-Image's pipelines,
  /// `[batch, tokens, features]` with the order channel, row, column.
  func packed(_ patch: Int) -> HostArray {
    let (rows, columns, channels) = (shape[1] / patch, shape[2] / patch, shape[3])
    let split = HostArray(values, [shape[0], rows, patch, columns, patch, channels])
    return HostArray(
      split.transposed([0, 1, 3, 5, 2, 4]).values,
      [shape[0], rows * columns, channels * patch * patch])
  }

  /// Packed latents as `[batch, height, width, channels]`.
  func unpacked(_ patch: Int, like shape: [Int]) -> HostArray {
    let (rows, columns, channels) = (shape[1] / patch, shape[2] / patch, shape[3])
    let split = HostArray(values, [shape[0], rows, columns, channels, patch, patch])
    return HostArray(split.transposed([0, 1, 4, 2, 5, 3]).values, shape)
  }

  /// Arrays one after the other along the first axis.
  static func joined(_ arrays: [HostArray]) -> HostArray {
    HostArray(
      arrays.flatMap(\.values),
      [arrays.reduce(0) { $0 + $1.rowCount }] + arrays[0].shape.dropFirst())
  }

  /// The elements with the other sign.
  var negated: HostArray { HostArray(values.map { -$0 }, shape) }

  /// The bytes of pixels, clamped.
  ///
  /// - Parameter byte: the byte of a number, before it is clamped.
  func pixelBytes(_ byte: (Float) -> Float) -> HostArray {
    HostArray(values.map { min(255, max(0, byte($0))) }, shape)
  }
}

extension GoldenCase {
  /// The comparison of an output of a pipeline.
  func comparison(
    of name: String, _ output: String, _ actual: HostArray, _ wanted: HostArray
  ) -> Comparison {
    let isInteger =
      output.hasPrefix("input_ids")
      || ["input_ids", "attention_mask", "mask"].contains { output.hasSuffix($0) }
    if isInteger { return Comparison(name, actual, wanted, absolute: 0, relative: 1e-12) }
    if output.hasSuffix("image_uint8") { return Comparison(bytes: name, actual, wanted) }
    return Comparison(
      name, actual, wanted, absolute: 10 * (config.noiseFloors?[name] ?? 0), relative: 1e-4)
  }
}

extension Comparison {
  /// Compares pixels: they may differ by 1, and at most in a hundredth of the bytes.
  init(bytes name: String, _ actual: HostArray, _ expected: HostArray) {
    let exact = Comparison(name, actual, expected, absolute: 1, relative: 1e-12)
    let pairs = zip(actual.values, expected.values)
    let different = Double(pairs.count { $0 != $1 }) / Double(max(1, expected.values.count))
    let beyond = pairs.contains { abs($0 - $1) > 1 } || exact.relative.isInfinite
    self.init(
      name: name, relative: exact.relative, share: beyond ? .infinity : different / 0.01)
  }
}
