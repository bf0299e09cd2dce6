import Flow
import Models
import Pictures
import Runtime
import Tensors

/// Makes pictures of many prompts with a text-to-image model, several prompts in a batch.
///
/// Pictures are handed on batch by batch, so that not all of them are in memory. The noise of a picture
/// depends on its own seed alone.
public struct PromptGeneration: Sendable {
  /// A picture that is to be made.
  public struct Item: Hashable, Sendable {
    /// What it shows.
    public let prompt: String
    /// The seed of its noise: `twinflow generate` makes the same picture with it, within rounding.
    public let seed: UInt64

    /// Describes a picture.
    public init(prompt: String, seed: UInt64) { (self.prompt, self.seed) = (prompt, seed) }
  }

  /// The model.
  public let pipeline: ImagePipeline
  private let encoded: EncodedPrompts

  /// The image tokens of a batch where no number of pictures is given.
  private static let tokens = 8192
  /// The most pictures of a batch where no number is given.
  private static let most = 32

  /// Makes a generation of prompts that have been encoded.
  public init(_ pipeline: ImagePipeline, _ encoded: EncodedPrompts) {
    (self.pipeline, self.encoded) = (pipeline, encoded)
  }

  /// What all pictures of a run have in common.
  public struct Run: Sendable {
    /// The request with every setting decided; its prompt and seed are those of the first picture.
    public let request: ResolvedRequest
    /// The number of pictures in a batch.
    public let batch: Int
    /// The seconds to make a picture, without compiling programs and loading weights.
    public let secondsPerPicture: Double
  }

  /// Makes pictures.
  ///
  /// - Parameters:
  ///   - items: what is to be made.
  ///   - request: the settings of all pictures; its prompt and seed are not used.
  ///   - batch: the number of pictures that are made together; nil for as many as seems fit.
  ///   - progress: called with the number of pictures made, also within a batch; an error that it throws
  ///     cancels the run.
  ///   - body: gets the pictures with the range of their items.
  /// - Throws: `PipelineError` for a request that the model cannot fulfil and for pictures that are not
  ///   finite, `RuntimeError.outOfMemory`, the errors of weights, the plugin's errors, and what `body`
  ///   throws.
  @discardableResult
  public func callAsFunction(
    _ items: [Item], like request: ImageRequest, batch given: Int? = nil,
    progress: ((Int) throws -> Void)? = nil,
    _ body: (_ items: Range<Int>, _ pictures: [RGBImage]) throws -> Void
  ) throws -> Run {
    precondition(!items.isEmpty, "no pictures are to be made")
    let resolved = try items.map { item in
      var own = request
      (own.prompt, own.seed) = (item.prompt, item.seed)
      return try pipeline.resolve(own)
    }
    let size = resolved[0].size
    let most = min(
      given ?? max(1, min(Self.most, Self.tokens / pipeline.tokenCount(size))), items.count)
    // Batches of about the same size, so that few places of the last one are empty.
    let batches = (items.count + most - 1) / most
    let batch = given == nil ? (items.count + batches - 1) / batches : most
    let negative = try resolved[0].negative.map { text in
      try encoded.batch([String](repeating: text, count: batch), on: pipeline.engine)
    }
    func conditions(_ own: [ResolvedRequest]) throws -> Denoiser.Conditions {
      try pipeline.conditions(
        encoded.batch(own.map(\.prompt), on: pipeline.engine), negative, scale: own[0].guidance,
        skipping: own[0].skipping)
    }
    /// The requests of a batch; the last one is filled up, so that one program serves all.
    func requests(_ range: Range<Int>) -> [ResolvedRequest] {
      resolved[range]
        + [ResolvedRequest](repeating: resolved[range.upperBound - 1], count: batch - range.count)
    }
    try prepare(resolved[0], batch: batch, conditions(requests(0..<batch)))
    let steps = resolved[0].schedule.count
    let clock = ContinuousClock()
    var (time, made) = (Duration.zero, 0)
    for start in stride(from: 0, to: items.count, by: batch) {
      let range = start..<min(start + batch, items.count)
      let own = requests(range)
      let began = clock.now
      var step = 0
      let latents = try pipeline.denoise(own, conditions(own)) { _ in
        step += 1
        try progress?(start + range.count * step / (steps + 1))
      }
      let pixels = try pipeline.codec.decode(latents, tile: pipeline.options.tiling)
      let pictures = try pixels.pictures(range.count)
      time += clock.now - began
      made += batch
      try body(range, pictures)
      try progress?(range.upperBound)
    }
    if !pipeline.options.keepsComponents {
      pipeline.transformer.component.release()
      pipeline.codec.release()
    }
    return Run(
      request: resolved[0], batch: batch, secondsPerPicture: time / .seconds(1) / Double(made))
  }

  /// Compiles the programs of a run, and loads the weights.
  private func prepare(
    _ request: ResolvedRequest, batch: Int, _ conditions: Denoiser.Conditions
  ) throws {
    let denoiser = pipeline.denoiser(batch: batch, request.size)
    let steps = request.schedule.steps(tokens: pipeline.tokenCount(request.size))
    _ = try denoiser.start(steps.count)
    _ = try denoiser.step(conditions.types, corrects: steps.contains { $0.correct > 0 })
    try pipeline.transformer.component.load()
  }
}

extension ShardedArray {
  /// The first of some pictures `[batch, height, width, channels]` whose values are within about ±1.
  func pictures(_ count: Int) throws -> [RGBImage] {
    let shape = type.shape
    let size = shape[1] * shape[2] * shape[3]
    let values = try array(of: Float.self)
    return try (0..<count).map { row in
      RGBImage(
        try Picture(
          width: shape[2], height: shape[1], channels: shape[3],
          numbers: values[row * size..<(row + 1) * size]))
    }
  }
}
