import Flow
import Models

/// A request for pictures of a published model.
public struct ImageRequest: Sendable {
  /// What the picture shows, or how the reference images are to be edited.
  public var prompt: String
  /// What guidance leads away from, nil for the pipeline's default.
  public var negative: String?
  /// The seed of the picture's noise.
  public var seed: UInt64
  /// The size in pixels, nil for the model's default.
  public var size: ImageSize?
  /// The number of steps, nil for the model's default.
  public var steps: Int?
  /// The scale of guidance, nil for the model's default.
  public var guidance: Double?
  /// The guidance by skipped blocks, nil for none.
  public var skipping: LayerSkipping?
  /// The sampler for networks with target times, nil for the preset of the number of steps.
  public var sampler: SamplerSettings?
  /// The shift of times towards noise, nil for that of the model's scheduler.
  public var shift: Double?

  /// Makes a request.
  public init(prompt: String, seed: UInt64 = 0) {
    (self.prompt, self.seed) = (prompt, seed)
  }
}

/// A request whose every setting is decided.
public struct ResolvedRequest: Sendable {
  /// What was requested.
  public let prompt: String
  /// What guidance leads away from; nil without guidance.
  public let negative: String?
  /// The scale of guidance; nil without.
  public let guidance: Double?
  /// The guidance by skipped blocks; nil for none.
  public var skipping: LayerSkipping?
  /// The seed of the noise.
  public let seed: UInt64
  /// The size in pixels.
  public let size: ImageSize
  /// The schedule of the steps.
  public let schedule: Schedule

  /// How steps are scheduled.
  public enum Schedule: Hashable, Sendable {
    /// By the sampler for any number of steps, for networks with target times.
    case anyStep(SamplerSettings)
    /// By the model's scheduler.
    case scheduled(Scheduler, steps: Int)

    /// The number of steps.
    public var count: Int {
      switch self {
      case .anyStep(let settings): settings.steps.count
      case .scheduled(_, let steps): steps
      }
    }

    /// The numbers of the steps.
    ///
    /// - Parameter tokens: the number of image tokens.
    package func steps(tokens: Int) -> [SamplerSettings.Step<Double>] {
      switch self {
      case .anyStep(let settings): settings.steps
      case .scheduled(let scheduler, let steps): scheduler.steps(steps, tokens: tokens)
      }
    }

    /// The factor of standard normal noise before the first step.
    var noiseScale: Double {
      if case .scheduled(let scheduler, _) = self { scheduler.noiseScale } else { 1 }
    }
  }
}
