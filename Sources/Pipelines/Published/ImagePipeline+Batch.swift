import Flow
import Models
import Pictures
import Runtime
import Tensors

extension ImagePipeline {
  /// Whether the transformer takes target times, and makes pictures in few steps.
  public var isAnyStep: Bool { transformer.isAnyStep }

  /// The number of classes where prompts are classes, nil for texts.
  public var classCount: Int? { classes?.count }

  /// The number of steps where a request names none.
  public var standardSteps: Int { isAnyStep ? SamplerSettings().count : kind.steps }

  /// The scale of guidance where a request names none; nil for none.
  public var standardGuidance: Double? {
    let scale = isAnyStep ? 0 : transformer.guidance ?? kind.defaultGuidance
    return scale > kind.guidanceStart ? scale : nil
  }

  /// The pictures of the first samples of a batch; the autoencoder's weights are loaded for it.
  ///
  /// - Throws: `RuntimeError.outOfMemory`, the errors of weights and the plugin's errors.
  package func pictures(of latents: ShardedArray, count: Int) throws -> [RGBImage] {
    try codec.decode(latents, tile: options.tiling).pictures(count)
  }

  /// The conditions of the transformer for prompts and reference images, see `callAsFunction`.
  ///
  /// - Throws: `PipelineError` for images that the model does not take, `RuntimeError.outOfMemory`, the
  ///   errors of weights and the plugin's errors.
  package func conditions(
    _ prompts: [String], _ negatives: [String]?, scale: Double?, editing images: [RGBImage]
  ) throws -> Denoiser.Conditions {
    let references = try references(images)
    let latents = try latents(references)
    let embeddings = try embeddings(references)
    func encode(_ prompts: [String], negatives: Set<String> = []) throws -> TextFeatures {
      try features(
        tokens(prompts, negatives: negatives, grids: references.grids), images: embeddings)
    }
    return try conditions(
      encode(prompts), negatives.map { try encode($0, negatives: Set($0)) }, scale: scale,
      references: latents)
  }

  /// An image that pictures of a size start from.
  ///
  /// - Parameters:
  ///   - image: an image of any size, whose centre is taken.
  ///   - strength: the time that the run starts at, above 0 and at most 1.
  ///   - mask: where pictures may differ from the image, from 0 to 1 for each pixel of `size`; nil for
  ///     everywhere.
  /// - Throws: `RuntimeError.outOfMemory`, the errors of weights and the plugin's errors.
  package func source(
    _ image: RGBImage, _ size: ImageSize, strength: Double, mask: [Float]?
  ) throws -> Denoiser.Source {
    let shape = latentShape(batch: 1, size)
    let latents = try latents([image.covering(width: size.width, height: size.height)])
    let reduced = try mask.map { mask in
      try engine.array(
        mask.means(width: size.width, height: size.height, over: codec.reduction),
        shape: [1, shape[1], shape[2], 1])
    }
    return Denoiser.Source(latents: latents, strength: strength, mask: reduced)
  }
}

extension [Float] {
  /// The means of squares of an image of one channel, row by row.
  fileprivate func means(width: Int, height: Int, over side: Int) -> [Float] {
    guard side > 1 else { return self }
    var means = [Float](repeating: 0, count: (width / side) * (height / side))
    for row in 0..<(height / side * side) {
      for column in 0..<(width / side * side) {
        means[row / side * (width / side) + column / side] += self[row * width + column]
      }
    }
    return means.map { $0 / Float(side * side) }
  }
}
