import Models
import Pictures
import Runtime
import Tensors

extension ImagePipeline {
  /// Reference images as the networks take them.
  package struct References: Sendable {
    /// Each image as the text encoder sees it.
    package let conditions: [RGBImage]
    /// Their patches for the vision tower.
    package let patches: Qwen2VLImageProcessor.Patches
    /// Each image as the autoencoder sees it.
    package let images: [RGBImage]

    /// No images.
    package static let none = References(
      conditions: [], patches: .init(values: HostArray([Float](), shape: [0, 0]), grids: []),
      images: [])

    /// The sizes in patches for the vision tower.
    package var grids: [TokenGrid] { patches.grids }
  }

  /// Resizes reference images for the networks.
  ///
  /// - Throws: `PipelineError.wrongReferences` for another number than the pipeline takes, `tooNarrow`
  ///   for an image that the text encoder cannot see.
  package func references(_ images: [RGBImage]) throws -> References {
    let wanted = kind.references?.counts ?? 0...0
    guard wanted.contains(images.count) else {
      throw PipelineError.wrongReferences(
        pipeline: kind.className, found: images.count, expected: wanted)
    }
    guard let use = kind.references, let processor else { return .none }
    func resized(_ image: RGBImage, area: Int) -> RGBImage {
      let size = ImageSize(
        area: area, like: ImageSize(height: image.height, width: image.width))
      return image.resized(width: size.width, height: size.height, filter: .lanczos)
    }
    let latent = images.map { resized($0, area: use.latentArea) }
    let conditions =
      use.sharesImage ? latent : images.map { resized($0, area: use.conditionArea) }
    return References(
      conditions: conditions, patches: try processor(conditions), images: latent)
  }

  /// The size of a picture where none is requested: the published one, or that of training. A picture
  /// that edits images has about the shape of the last one, with a published area.
  package func standardSize(editing images: [RGBImage]) -> ImageSize {
    guard let last = images.last, let use = kind.references else {
      guard kind.sizeFollowsNetwork else { return ImageSize(height: 1024, width: 1024) }
      let sample = transformer.config.inputs(nil)[0].shape
      return ImageSize(height: sample[0] * codec.reduction, width: sample[1] * codec.reduction)
    }
    return ImageSize(
      area: use.latentArea, like: ImageSize(height: last.height, width: last.width))
  }

  /// The embeddings of images for prompts, nil without images; the vision tower's weights are loaded
  /// for it.
  package func embeddings(_ references: References) throws -> ShardedArray? {
    guard !references.grids.isEmpty, let vision = encoder.vision else { return nil }
    let program = try visionProgram(references.grids)
    var arguments = try vision.component.load().prefixed("weights")
    arguments["patches"] = try engine.array(references.patches.values)
    return try RuntimeError.reportingMemory(of: program) { try program(arguments)["images"]! }
  }

  /// The program that embeds images.
  func visionProgram(_ grids: [TokenGrid]) throws -> CompiledFunction {
    try program(.vision(grids)) {
      try encoder.vision!.program(grids, options.compute.dtype, on: engine)
    }
  }

  /// The latents of images, `reference.0` `[1, height, width, channels]` and so on; the autoencoder's
  /// weights are loaded for it.
  package func latents(_ references: References) throws -> Named<ShardedArray> {
    Named(
      try references.images.enumerated().map { ("reference.\($0)", try latents($1)) })
  }

  /// The latents `[1, height, width, channels]` of an image, the means of their distributions; the
  /// autoencoder's weights are loaded for it.
  package func latents(_ image: RGBImage) throws -> ShardedArray {
    try latents([image])
  }

  /// The latents `[batch, height, width, channels]` of images of one size, see above.
  package func latents(_ images: [RGBImage]) throws -> ShardedArray {
    let shape = [images.count, images[0].height, images[0].width, 3]
    let values = images.flatMap { $0.values.withUnsafeBytes { Pixels.values(of: $0) } }
    let array = try engine.array(values, shape: shape)
    return try codec.encode(array, tile: options.tiling)
  }

  /// The types of the latents of reference images.
  func latentTypes(_ references: References) -> Named<TensorType> {
    Named(
      references.images.enumerated().map { number, image in
        let size = ImageSize(height: image.height, width: image.width)
        return ("reference.\(number)", TensorType(latentShape(batch: 1, size), .float32))
      })
  }
}
