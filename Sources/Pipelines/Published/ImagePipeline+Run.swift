import Flow
import Models
import Pictures
import Runtime
import Tensors

extension ImagePipeline {
  /// The phases of a run, one after the other.
  public enum Phase: String, Sendable, CaseIterable {
    /// Reference images are encoded to latents.
    case encoding = "encode the images"
    /// Prompts are encoded.
    case text = "encode the prompt"
    /// Latents are denoised.
    case denoising = "denoise"
    /// Latents are decoded to pixels.
    case decoding = "decode"
  }

  /// The progress of a run.
  public enum Progress: Sendable {
    /// A phase starts.
    case phase(Phase)
    /// A step is made: its number from 1, and the number of steps.
    case step(Int, of: Int)
    /// A batch is decoded: its number from 0, and its pixels, as they are returned in the end.
    case decoded(Int, ShardedArray)
  }

  /// Makes pictures in batches. Each component is loaded once, for all of them in turn.
  ///
  /// A picture's noise depends on its own seed alone; its numbers may differ in rounding between batches
  /// of different sizes.
  ///
  /// - Parameters:
  ///   - batches: requests, those of one batch of one size, schedule and scale of guidance.
  ///   - images: the reference images, of all requests.
  ///   - log: gets a sentence for a prompt that is cut, and for pictures that are decoded in tiles.
  ///   - observer: called during the run; an error that it throws cancels the run.
  /// - Returns: for each batch pixels `[batch, height, width, 3]` in f32, from about −1 to 1.
  /// - Throws: `PipelineError.imagesNotFinite`, `RuntimeError.outOfMemory`, the errors of weights and
  ///   the plugin's errors.
  public func callAsFunction(
    _ batches: [[ResolvedRequest]], editing images: [RGBImage] = [],
    log: (String) -> Void = { _ in }, observer: ((Progress) throws -> Void)? = nil
  ) throws -> [ShardedArray] {
    for batch in batches { checkAlike(batch) }
    let references = try references(images)
    var latentsOfImages = Named<ShardedArray>()
    var embeddings: ShardedArray?
    if !images.isEmpty {
      try observer?(.phase(.encoding))
      latentsOfImages = try latents(references)
      if !options.keepsComponents { codec.release() }
      embeddings = try self.embeddings(references)
      if let vision = encoder.vision { releaseIfAllowed(vision.component) }
    }
    if classes == nil { try observer?(.phase(.text)) }
    var encoded: [TextTokens: TextFeatures] = [:]
    func encode(_ prompts: [String], negatives: Set<String> = []) throws -> TextFeatures {
      let tokens = try tokens(prompts, negatives: negatives, grids: references.grids, log: log)
      if let known = encoded[tokens] { return known }
      let features = try features(tokens, images: embeddings)
      encoded[tokens] = features
      return features
    }
    let conditions = try batches.map { batch in
      let texts = try encode(batch.map(\.prompt))
      let negatives = batch.map { $0.negative ?? kind.negative }
      let negative =
        try batch[0].guidance == nil || kind.guidance == .embedded
        ? nil : encode(negatives, negatives: Set(negatives))
      return try self.conditions(
        texts, negative, scale: batch[0].guidance, skipping: batch[0].skipping,
        references: latentsOfImages)
    }
    encoded = [:]
    releaseIfAllowed(encoder.component)
    try observer?(.phase(.denoising))
    let total = batches.reduce(0) { $0 + $1[0].schedule.count }
    var done = 0
    let latents = try zip(batches, conditions).map { batch, conditions in
      try denoise(batch, conditions) { _ in
        done += 1
        try observer?(.step(done, of: total))
      }
    }
    releaseIfAllowed(transformer.component)
    try observer?(.phase(.decoding))
    let pixels = try latents.enumerated().map { number, latents in
      let pixels = try codec.decode(latents, tile: options.tiling)
      try observer?(.decoded(number, pixels))
      return pixels
    }
    if !options.keepsComponents { codec.release() }
    return pixels
  }

  private func checkAlike(_ batch: [ResolvedRequest]) {
    precondition(
      !batch.isEmpty
        && batch.allSatisfy {
          $0.size == batch[0].size && $0.schedule == batch[0].schedule
            && $0.guidance == batch[0].guidance && $0.skipping == batch[0].skipping
        }, "requests of one batch differ in size, schedule or guidance")
  }

  /// The latents of a batch.
  ///
  /// - Parameters:
  ///   - source: the image to start from, nil for noise alone.
  ///   - observer: called after every step; an error that it throws cancels the run.
  /// - Throws: `PipelineError.imagesNotFinite`, `RuntimeError.outOfMemory`, the errors of weights and
  ///   the plugin's errors.
  package func denoise(
    _ batch: [ResolvedRequest], _ conditions: Denoiser.Conditions,
    from source: Denoiser.Source? = nil, observer: (Denoiser.Progress) throws -> Void
  ) throws -> ShardedArray {
    let (size, schedule) = (batch[0].size, batch[0].schedule)
    let denoiser = denoiser(batch: batch.count, size)
    let steps = schedule.steps(tokens: tokenCount(size))
    let keys = try engine.array(batch.flatMap { [$0.seed, 0] }, shape: [batch.count, 2])
    let start = try denoiser.noise(Named([("key", keys)]), steps: steps.count)
    let (latents, areFinite) = try withoutActuallyEscaping(observer) { observer in
      try denoiser(
        start, steps, conditions, from: source, noiseScale: schedule.noiseScale,
        observer: observer)
    }
    guard areFinite else {
      throw PipelineError.imagesNotFinite(
        path: transformer.component.path, guidance: batch[0].guidance ?? 0)
    }
    return latents
  }

  private func releaseIfAllowed(_ component: Component) {
    if !options.keepsComponents { component.release() }
  }

  /// The conditions of the transformer.
  ///
  /// - Parameters:
  ///   - skipping: the guidance by skipped blocks, nil for none.
  ///   - references: the latents of the reference images.
  package func conditions(
    _ texts: TextFeatures, _ negative: TextFeatures?, scale: Double?,
    skipping: LayerSkipping? = nil, references: Named<ShardedArray> = Named()
  ) throws -> Denoiser.Conditions {
    let given = texts.condition.merging(references)
    guard let scale else { return Denoiser.Conditions(given) }
    guard negative != nil || kind.guidance == .embedded else { return Denoiser.Conditions(given) }
    let conditions = Denoiser.Conditions(
      given, unconditional: negative?.condition.merging(references) ?? Named(),
      scale: try engine.array([Float(scale)], shape: []))
    return try skipping.map {
      conditions.skipping($0, scale: try engine.array([Float($0.scale)], shape: []))
    } ?? conditions
  }

  /// The denoiser for a batch of pictures, whose programs are kept for the next run.
  package func denoiser(batch: Int, _ size: ImageSize) -> Denoiser {
    let shape = latentShape(batch: batch, size)
    return denoisers.withLock { denoisers in
      if let denoiser = denoisers[shape] { return denoiser }
      let transformer = transformer
      let denoiser = Denoiser(
        Denoiser.Network(transformer.component, compute: options.compute.dtype) {
          transformer.bound($0)
        }, shape: shape, randomness: .perSample, on: engine
      ) { [rule = kind.guidance] network, conditions in
        let given = conditions.given.spreadReferences(over: batch)
        guard let (unconditional, scale) = conditions.guidance else { return (network, given) }
        let guided = TrueGuidance(
          network: network, unconditional: unconditional.spreadReferences(over: batch),
          scale: scale, rule: rule, skipping: conditions.skipping)
        return (guided, given)
      }
      denoisers[shape] = denoiser
      return denoiser
    }
  }
}

extension Named<Tensor> {
  /// The same conditions with the reference images, which all samples share, for each of them.
  fileprivate func spreadReferences(over batch: Int) -> Named {
    map { name, value in
      guard name.hasPrefix("reference.") else { return value }
      return value.broadcast(to: Shape([batch] + value.shape.sizes.dropFirst()))
    }
  }
}
