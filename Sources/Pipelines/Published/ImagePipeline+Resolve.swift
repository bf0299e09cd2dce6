import Flow
import Models
import Pictures

extension ImagePipeline {
  /// Decides every setting of a request, and checks them before anything is loaded.
  ///
  /// - Parameter images: the reference images.
  /// - Throws: `PipelineError` for an empty prompt, one that is no class of a model of classes, a size that the model cannot make, guidance that
  ///   has no effect, and reference images that the pipeline does not take.
  public func resolve(
    _ request: ImageRequest, editing images: [RGBImage] = []
  ) throws -> ResolvedRequest {
    guard request.prompt.contains(where: { !$0.isWhitespace }) else {
      throw PipelineError.emptyPrompt
    }
    for text in [request.prompt, request.negative ?? ""] { _ = try classes?.label(text) }
    let wanted = kind.references?.counts ?? 0...0
    guard wanted.contains(images.count) else {
      throw PipelineError.wrongReferences(
        pipeline: kind.className, found: images.count, expected: wanted)
    }
    let size = request.size ?? standardSize(editing: images)
    try check(size)
    let isAnyStep = transformer.isAnyStep
    let scale = try guidance(request, isAnyStep: isAnyStep)
    let schedule: ResolvedRequest.Schedule
    if isAnyStep {
      guard request.shift == nil else { throw PipelineError.shiftOfAnyStep }
      schedule = .anyStep(request.sampler ?? .preset(request.steps ?? 2))
    } else {
      guard request.sampler == nil else {
        throw PipelineError.noTargetTimes(path: transformer.component.path)
      }
      var scheduler = scheduler
      if let shift = request.shift {
        guard let shifted = scheduler.shifted(by: shift) else {
          throw PipelineError.noShift(pipeline: kind.className)
        }
        scheduler = shifted
      }
      schedule = .scheduled(scheduler, steps: request.steps ?? kind.steps)
    }
    try check(request.skipping, guidance: scale)
    let isGuidedAway = scale != nil && kind.guidance != .embedded
    return ResolvedRequest(
      prompt: request.prompt, negative: isGuidedAway ? request.negative ?? kind.negative : nil,
      guidance: scale, skipping: request.skipping, seed: request.seed, size: size,
      schedule: schedule)
  }

  /// Checks that guidance can leave out blocks.
  private func check(_ skipping: LayerSkipping?, guidance: Double?) throws {
    guard let skipping else { return }
    let count = transformer.config.skippableLayers
    guard count > 0 else { throw PipelineError.noLayerSkipping(pipeline: kind.className) }
    if let wrong = skipping.layers.first(where: { !(0..<count).contains($0) }) {
      throw PipelineError.unknownLayer(wrong, count: count)
    }
    guard guidance != nil else {
      throw PipelineError.skippingWithoutGuidance(start: kind.guidanceStart)
    }
  }

  /// The scale of guidance, nil for none.
  private func guidance(_ request: ImageRequest, isAnyStep: Bool) throws -> Double? {
    let isEffective = { [kind] (scale: Double) in scale > kind.guidanceStart }
    if isAnyStep {
      if let scale = request.guidance, isEffective(scale) {
        throw PipelineError.guidanceInWeights(path: transformer.component.path, scale: scale)
      }
      guard request.negative == nil else {
        throw PipelineError.negativeWithoutGuidance(start: kind.guidanceStart)
      }
      return nil
    }
    if request.negative != nil, kind.guidance == .embedded {
      throw PipelineError.noNegative(pipeline: kind.className)
    }
    let scale = request.guidance ?? transformer.guidance ?? kind.defaultGuidance
    guard isEffective(scale) else {
      guard request.negative == nil else {
        throw PipelineError.negativeWithoutGuidance(start: kind.guidanceStart)
      }
      return nil
    }
    return scale
  }

  /// Checks that the model can make pictures of a size.
  private func check(_ size: ImageSize) throws {
    let multiple = sizeMultiple
    let isValid = { (side: Int) in side > 0 && side % multiple == 0 && side <= 1 << 16 }
    guard isValid(size.height), isValid(size.width) else {
      func nearest(_ side: Int) -> Int {
        max(1, min(1 << 16, side + multiple / 2) / multiple) * multiple
      }
      throw PipelineError.wrongSize(
        size, multiple: multiple,
        nearest: ImageSize(height: nearest(size.height), width: nearest(size.width)))
    }
    if let side = transformer.config.largestSide,
      max(size.height, size.width) > side * codec.reduction
    {
      throw PipelineError.tooLargeSize(size, largest: side * codec.reduction)
    }
  }
}
