import Foundation
import Pictures
import Runtime
import Tensors

/// What each phase of a run needs in memory, by the compiler's plan of its program.
public struct MemoryPlan: Hashable, Sendable {
  /// The phases in their order.
  public let phases: [Phase]
  /// The memory of a device in bytes, nil where it is unknown.
  public let capacity: Int?

  /// What one phase needs.
  public struct Phase: Hashable, Sendable {
    /// What the phase does.
    public let name: String
    /// The bytes of the weights that it uses.
    public let weights: Int
    /// The bytes of its activations and results.
    public let activations: Int
    /// The bytes of weights that stay loaded from earlier phases.
    public let kept: Int

    /// All bytes during the phase.
    public var total: Int { weights + activations + kept }
  }

  /// The phase that needs the most.
  public var peak: Phase? { phases.max { $0.total < $1.total } }

  /// Checks that every phase fits into memory.
  ///
  /// - Throws: `PipelineError.tooLarge`.
  public func check() throws {
    guard let capacity, let peak, peak.total > capacity else { return }
    throw PipelineError.tooLarge(
      phase: peak.name, needed: peak.total, capacity: capacity,
      advice: peak.kept > 0
        ? "Do not keep components loaded."
        : peak.weights > peak.activations
          ? "Keep the weights in fewer bits with --weights int8 or int4, or use a device with more "
            + "memory."
          : "Make a smaller picture.")
  }

  /// The plan as a table of one line a phase.
  public var table: String {
    let gigabytes = { (bytes: Int) in String(format: "%.2f GB", Double(bytes) / 1e9) }
    let width = phases.map(\.name.count).max() ?? 0
    var lines = phases.map { phase in
      let name = phase.name + String(repeating: " ", count: width - phase.name.count)
      let kept = phase.kept > 0 ? ", \(gigabytes(phase.kept)) kept" : ""
      return "\(name)  \(gigabytes(phase.total)): \(gigabytes(phase.weights)) of weights, "
        + "\(gigabytes(phase.activations)) of activations\(kept)"
    }
    if let peak {
      let limit = capacity.map { " of \(gigabytes($0))" } ?? ""
      lines.append("At most \(gigabytes(peak.total))\(limit), to \(peak.name).")
    }
    return lines.joined(separator: "\n")
  }
}

extension ImagePipeline {
  /// Compiles the programs of a run and adds up what they need, without loading weights.
  ///
  /// - Throws: the plugin's errors, and those of prompts and images that the model does not take.
  public func plan(
    _ requests: [ResolvedRequest], editing images: [RGBImage] = []
  ) throws -> MemoryPlan {
    let request = requests[0]
    let references = try references(images)
    let latents = latentTypes(references)
    let texts = try tokens(requests.map(\.prompt), grids: references.grids)
    let given = conditionTypes(texts).merging(latents)
    var conditions = Denoiser.ConditionTypes(given: given)
    if request.guidance != nil, kind.guidance == .embedded {
      conditions = Denoiser.ConditionTypes(given: given, isGuided: true)
    } else if request.guidance != nil {
      let negatives = requests.map { $0.negative ?? kind.negative }
      let negative = try tokens(
        negatives, negatives: Set(negatives), grids: references.grids)
      conditions = Denoiser.ConditionTypes(
        given: given, unconditional: conditionTypes(negative).merging(latents), isGuided: true
      ).skipping(Set(request.skipping?.layers ?? []))
    }
    let corrects = request.schedule.steps(tokens: tokenCount(request.size))
      .contains { $0.correct > 0 }
    let capacity = engine.client.capacity(over: engine.client.places(in: engine.mesh).count)
    var phases: [MemoryPlan.Phase] = []
    var kept = 0
    func add(_ phase: Phase, _ component: Component, _ memory: () throws -> ProgramMemory?) throws {
      var needed: ProgramMemory?
      do {
        needed = try memory()
      } catch RuntimeError.outOfMemory(let found?, _, nil) {
        // What does not fit is part of the plan too, which says so.
        needed = found
      }
      // Nearly all of a program's arguments are weights, in the form that it takes them.
      let weights = needed?.arguments ?? component.byteCount
      phases.append(
        MemoryPlan.Phase(
          name: phase.rawValue, weights: weights,
          activations: (needed?.total ?? weights) - weights, kept: kept))
      if options.keepsComponents { kept += weights }
    }
    if let vision = encoder.vision {
      try add(.encoding, vision.component) {
        try visionProgram(references.grids).executable.memory
      }
    }
    if classes == nil {
      try add(.text, encoder.component) { try textProgram(texts).executable.memory }
    }
    try add(.denoising, transformer.component) {
      try denoiser(batch: requests.count, request.size).step(conditions, corrects: corrects)
        .executable.memory
    }
    if let autoencoder = codec.autoencoder {
      try add(.decoding, autoencoder.component) {
        try autoencoder.memoryToDecode(latentShape(batch: requests.count, request.size))
      }
    }
    return MemoryPlan(phases: phases, capacity: capacity)
  }
}
