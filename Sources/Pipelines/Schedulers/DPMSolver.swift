import Flow
import Foundation
import Recipe

/// The multistep solver DPM-Solver++ along a flow, in the form of a published `scheduler_config.json`:
/// diffusers' `DPMSolverMultistepScheduler` with `use_flow_sigmas`; Lu and others, "DPM-Solver++: Fast solver
/// for guided sampling of diffusion probabilistic models", 2022.
///
/// In terms of the predicted data a step of order 1 is an Euler step of the flow. One of order 2 adds the
/// change of the prediction since the step before, as the line through both goes on in log(α/σ), half the
/// logarithm of the signal-to-noise ratio.
public struct DPMSolver: Hashable, Sendable {
  /// How the line through two predictions is integrated.
  public enum Kind: String, Hashable, Sendable {
    /// By its value in the middle.
    case midpoint
    /// Exactly.
    case heun
  }

  /// 1, or 2 for steps with the prediction before.
  public var order = 2
  /// How steps of order 2 are integrated.
  public var kind = Kind.midpoint
  /// The shift s of times towards noise, `s·t / (1 + (s − 1)·t)`.
  public var shift = 1.0
  /// The number of the time steps of training, to whole ones of which the network's times are cut.
  public var trainSteps = 1000

  /// Makes a solver of order 2 without a shift.
  public init() {}

  /// The times of a number of steps, from noise to data, with 0 at the end.
  ///
  /// The first one is just below 1, where the data have no weight.
  public func times(_ count: Int) -> [Double] {
    // In the published order of operations: a time just below a whole one is cut by one more.
    let least = 1 / Double(trainSteps)
    let spacing = (least - 1) / Double(count)
    return (0..<count).map { i in
      let even = 1 - (i == 0 ? least : Double(count - i) * spacing + 1)
      return shift * even / (1 + (shift - 1) * even)
    } + [0]
  }

  /// The numbers of the steps.
  public func steps(_ count: Int) -> [SamplerSettings.Step<Double>] {
    let exact = times(count)
    // The solver's times are rounded to f32; the network's are cut before.
    let times = exact.map { Double(Float($0)) }
    return (0..<count).map { i in
      .euler(
        from: times[i], to: times[i + 1],
        networkTime: (exact[i] * Double(trainSteps)).rounded(.down) / Double(trainSteps),
        change: order == 1 || i == 0 || i == count - 1
          ? 0 : change(times[i - 1], times[i], times[i + 1]))
    }
  }

  /// The weight of the change of the prediction in a step between two times, after a step from another
  /// one.
  private func change(_ before: Double, _ time: Double, _ next: Double) -> Double {
    func logRatio(_ t: Double) -> Double { log(1 - t) - log(t) }
    let (h, last) = (logRatio(next) - logRatio(time), logRatio(time) - logRatio(before))
    let weight =
      switch kind {
      case .midpoint: -0.5 * (exp(-h) - 1)
      case .heun: (exp(-h) - 1) / h + 1
      }
    return (1 - next) * weight * h / last
  }
}

extension DPMSolver: Codable {
  private enum CodingKeys: String, CodingKey {
    case className = "_class_name"
    case trainSteps = "num_train_timesteps"
    case order = "solver_order"
    case kind = "solver_type"
    case shift = "flow_shift"
    case algorithm = "algorithm_type"
    case prediction = "prediction_type"
    case final = "final_sigmas_type"
    case usesFlow = "use_flow_sigmas"
    case thresholding
    case karras = "use_karras_sigmas"
    case exponential = "use_exponential_sigmas"
    case beta = "use_beta_sigmas"
    case lu = "use_lu_lambdas"
    case isDynamic = "use_dynamic_shifting"
    case zeroRatio = "rescale_betas_zero_snr"
  }

  static let className = "DPMSolverMultistepScheduler"

  /// Reads the published keys. Those of noise schedules that are no flow have no effect.
  ///
  /// - Throws: an error that names a key whose value is not supported.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    try keys.expect(.className, Self.className)
    try keys.expect(.algorithm, "dpmsolver++")
    try keys.expect(.final, "zero")
    for (key, only, standard) in [
      (CodingKeys.prediction, "flow_prediction", "epsilon"), (.usesFlow, "true", "false"),
    ] {
      let found =
        key == .usesFlow
        ? "\(try keys.value(key, default: false))" : try keys.value(key, default: standard)
      guard found == only else {
        throw InvalidRecipeValue(key, found, "only \(only) is supported")
      }
    }
    for key in [
      CodingKeys.thresholding, .karras, .exponential, .beta, .lu, .isDynamic,
    ] { try keys.expect(key, false) }
    order = try keys.value(.order, default: order, in: 1...2)
    switch try keys.value(.kind, default: kind.rawValue) {
    // The names of other solvers, for which diffusers takes this one.
    case "midpoint", "logrho", "bh1", "bh2": kind = .midpoint
    case "heun": kind = .heun
    case let other:
      throw InvalidRecipeValue(CodingKeys.kind, other, "it must be midpoint or heun")
    }
    shift = try keys.value(
      .shift, default: shift, where: { $0 > 0 && $0.isFinite }, "it must be above 0")
    trainSteps = try keys.value(.trainSteps, default: trainSteps, in: 2...1_000_000)
  }

  /// Writes the published keys.
  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(Self.className, forKey: .className)
    try keys.encode("dpmsolver++", forKey: .algorithm)
    try keys.encode("flow_prediction", forKey: .prediction)
    try keys.encode(true, forKey: .usesFlow)
    try keys.encode("zero", forKey: .final)
    try keys.encode(order, forKey: .order)
    try keys.encode(kind.rawValue, forKey: .kind)
    try keys.encode(shift, forKey: .shift)
    try keys.encode(trainSteps, forKey: .trainSteps)
  }
}
