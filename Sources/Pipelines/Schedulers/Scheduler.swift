import Flow
import Recipe

/// The schedule of the steps from noise to data, in the form of a published `scheduler_config.json`.
///
/// Times run from 1, noise, to 0, data.
public enum Scheduler: Hashable, Sendable {
  /// Euler steps along the flow.
  case euler(FlowMatchEuler)
  /// Steps of a solver of higher order.
  case dpmSolver(DPMSolver)
  /// Steps to the data, each from fresh noise.
  case consistency(ConsistencySchedule)

  /// The numbers of the steps.
  ///
  /// - Parameter tokens: the number of image tokens.
  public func steps(_ count: Int, tokens: Int) -> [SamplerSettings.Step<Double>] {
    switch self {
    case .euler(let euler): euler.steps(count, tokens: tokens)
    case .dpmSolver(let solver): solver.steps(count)
    case .consistency(let schedule): schedule.steps(count)
    }
  }

  /// The factor of standard normal noise before the first step.
  package var noiseScale: Double {
    if case .consistency(let schedule) = self { schedule.noiseScale } else { 1 }
  }

  /// The same schedule with another shift of times towards noise; nil where there is no such shift.
  func shifted(by shift: Double) -> Scheduler? {
    switch self {
    case .euler(var euler):
      (euler.shift, euler.terminal) = (.fixed(shift), nil)
      return .euler(euler)
    case .dpmSolver(var solver):
      solver.shift = shift
      return .dpmSolver(solver)
    case .consistency: return nil
    }
  }
}

extension Scheduler: Codable {
  private enum CodingKeys: String, CodingKey { case className = "_class_name" }

  /// Reads the published keys of the class that they name; without one of Euler steps.
  ///
  /// - Throws: an error that names a key whose value is not supported.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    switch try keys.decodeIfPresent(String.self, forKey: .className) {
    case FlowMatchEuler.className, nil: self = .euler(try FlowMatchEuler(from: decoder))
    case DPMSolver.className: self = .dpmSolver(try DPMSolver(from: decoder))
    case ConsistencySchedule.className:
      self = .consistency(try ConsistencySchedule(from: decoder))
    case let other?:
      let known = [FlowMatchEuler.className, DPMSolver.className, ConsistencySchedule.className]
      throw InvalidRecipeValue(
        CodingKeys.className, other, "only \(known.joined(separator: ", ")) are supported")
    }
  }

  /// Writes the published keys.
  public func encode(to encoder: any Encoder) throws {
    switch self {
    case .euler(let euler): try euler.encode(to: encoder)
    case .dpmSolver(let solver): try solver.encode(to: encoder)
    case .consistency(let schedule): try schedule.encode(to: encoder)
    }
  }
}
