import Foundation
import Tensors

/// The learning rate over the steps of a run.
public struct Schedule: Sendable, Hashable {
  /// What follows the warm-up.
  public enum Decay: String, Codable, Sendable, Hashable, CaseIterable {
    /// The peak rate to the end.
    case constant
    /// A straight line to the last rate.
    case linear
    /// Half a cosine to the last rate: Loshchilov and Hutter, 2017.
    case cosine
  }

  /// The highest rate.
  public var peak: Double
  /// Steps in which the rate rises from 0 to the peak in a straight line.
  public var warmup: Int
  /// What follows.
  public var decay: Decay
  /// The rate at the end as a part of the peak.
  public var final: Double

  /// Makes a schedule.
  public init(peak: Double, warmup: Int = 0, decay: Decay = .constant, final: Double = 0) {
    self.peak = peak
    self.warmup = warmup
    self.decay = decay
    self.final = final
  }

  /// The rate of a step, counted from 0, in a run of `total` steps.
  public func rate(at step: Int, of total: Int) -> Double {
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

  /// The rate of a step, counted from 0, in a run of `total` steps; a scalar in f32.
  public func rate(step: Tensor, of total: Int) -> Tensor {
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
