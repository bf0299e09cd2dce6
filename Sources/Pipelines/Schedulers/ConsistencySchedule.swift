import Flow
import Foundation
import Recipe

/// The schedule of SANA-Sprint, in the form of a published `scheduler_config.json`: diffusers'
/// `SCMScheduler`; Lu and Song, "Simplifying, stabilizing and scaling continuous-time consistency models",
/// 2024; Chen and others, "SANA-Sprint", 2025.
///
/// Each step predicts the data and starts the next one from fresh noise. Published times are angles a, of
/// samples `cos(a)·x + sin(a)·z`; such a sample times `1 / (cos(a) + sin(a))` is that of the flow at the time
/// `sin(a) / (cos(a) + sin(a))`, so that steps are those of the flow.
public struct ConsistencySchedule: Hashable, Sendable {
  /// The first angle, about π/2, where samples are noise.
  public var first = 1.5708
  /// The angle between two steps; nil for half of the first one.
  public var middle: Double? = 1.3
  /// The standard deviation of the data that published samples are scaled to.
  public var deviation = 0.5

  /// Makes the published schedule.
  public init() {}

  /// The angles of a number of steps, from noise to data, with 0 at the end.
  public func angles(_ count: Int) -> [Double] {
    if count == 2, let middle { return [first, middle, 0] }
    return (0...count).map { first * (1 - Double($0) / Double(count)) }
  }

  /// The factor from a published sample, without its deviation, to that of the flow.
  package static func scale(_ angle: Double) -> Double { 1 / (cos(angle) + sin(angle)) }

  /// The factor of standard normal noise before the first step.
  var noiseScale: Double { Self.scale(first) }

  /// The numbers of the steps.
  public func steps(_ count: Int) -> [SamplerSettings.Step<Double>] {
    let times = angles(count).map { sin($0) * Self.scale($0) }
    return zip(times, times.dropFirst()).map { .euler(from: $0, to: $1, stochastic: 1) }
  }
}

extension ConsistencySchedule: Codable {
  private enum CodingKeys: String, CodingKey {
    case className = "_class_name"
    case prediction = "prediction_type"
    case deviation = "sigma_data"
  }

  static let className = "SCMScheduler"

  /// Reads the published keys.
  ///
  /// - Throws: an error that names a key whose value is not supported.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    try keys.expect(.className, Self.className)
    try keys.expect(.prediction, "trigflow")
    deviation = try keys.value(
      .deviation, default: deviation, where: { $0 > 0 && $0.isFinite }, "it must be above 0")
  }

  /// Writes the published keys.
  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(Self.className, forKey: .className)
    try keys.encode("trigflow", forKey: .prediction)
    try keys.encode(deviation, forKey: .deviation)
  }
}
