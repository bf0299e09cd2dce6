import Foundation
import Tensors

/// The learning rate over the steps of a run.
public struct Schedule: Sendable, Hashable {
  /// The shape of the decay after the warm-up.
  public enum Decay: String, Codable, Sendable, Hashable, CaseIterable {
    /// No decay.
    case constant
    /// A linear decay to the final rate.
    case linear
    /// A cosine decay to the final rate: Loshchilov and Hutter, 2017.
    case cosine
  }

  /// The learning rate after the warm-up.
  public var peak: Double
  /// The steps of linear warm-up from 0 to the peak.
  public var warmup: Int
  /// The decay after the warm-up.
  public var decay: Decay
  /// The final learning rate as a fraction of the peak.
  public var final: Double

  /// Makes a schedule.
  public init(peak: Double, warmup: Int = 0, decay: Decay = .constant, final: Double = 0) {
    self.peak = peak
    self.warmup = warmup
    self.decay = decay
    self.final = final
  }

  /// The learning rate of a step, counted from 0, in a run of `total` steps.
  public func learningRate(at step: Int, of total: Int) -> Double {
    let rest = Double(max(1, total - warmup))
    let progress = min(1, max(0, (Double(step) - Double(warmup)) / rest))
    let fall =
      switch decay {
      case .constant: 1.0
      case .linear: 1 - progress * (1 - final)
      case .cosine: final + (1 - final) * 0.5 * (1 + cos(progress * Double.pi))
      }
    return fall * (warmup > 0 ? min(1, Double(step + 1) / Double(warmup)) : 1) * peak
  }

  /// The learning rate of a step, counted from 0, in a run of `total` steps; a scalar in f32.
  public func learningRate(step: Tensor, of total: Int) -> Tensor {
    let count = step.cast(to: .float32)
    let rest = Double(max(1, total - warmup))
    let progress = ((count - Double(warmup)) / rest).clamped(0...1)
    let fall: Tensor =
      switch decay {
      case .constant: progress * 0 + 1
      case .linear: 1 - progress * (1 - final)
      case .cosine: final + (1 - final) * 0.5 * (1 + (progress * Double.pi).cos())
      }
    guard warmup > 0 else { return fall * peak }
    return fall * ((count + 1) / Double(warmup)).minimum(1) * peak
  }
}
