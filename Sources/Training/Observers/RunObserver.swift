import Pictures
import Runtime
import Tensors

/// An observer of a training run, which logs, draws or evaluates. It never changes the run.
///
/// Observers are called in the run's first process, in the order in which they were added.
public protocol RunObserver: AnyObject {
  /// Called before the first step that this process makes.
  ///
  /// - Throws: what ends the run before it starts.
  func begin(_ start: RunStart) throws

  /// Called after every step, in order, when its metrics have been read.
  func observe(_ report: StepReport)

  /// Whether this observer looks at the weights after a step; the run waits for the step then. It is
  /// asked for the step that the run starts from too, where a run that was stopped may not have looked.
  func looksAtWeights(after step: Int) -> Bool

  /// Looks at the weights after a step.
  ///
  /// - Returns: what all observers are told.
  /// - Throws: what the user is told; the run goes on.
  func look(at weights: RunWeights) throws -> [Finding]

  /// Called with what an observer has found in the weights after a step.
  func observe(_ finding: Finding, after step: Int)

  /// Called when a checkpoint has been written.
  func saved(after step: Int)

  /// Called at the end.
  func end(_ end: RunEnd)
}

extension RunObserver {
  /// Does nothing.
  public func begin(_ start: RunStart) throws {}
  /// Does nothing.
  public func observe(_ report: StepReport) {}
  /// By default never.
  public func looksAtWeights(after step: Int) -> Bool { false }
  /// Finds nothing.
  public func look(at weights: RunWeights) throws -> [Finding] { [] }
  /// Does nothing.
  public func observe(_ finding: Finding, after step: Int) {}
  /// Does nothing.
  public func saved(after step: Int) {}
  /// Does nothing.
  public func end(_ end: RunEnd) {}
}

/// What is known of a run before its first step in this process.
public struct RunStart: Sendable {
  /// The recipe, with the sizes of the network that it starts from.
  public let recipe: TrainingRecipe
  /// The command that makes the run.
  public let command: String
  /// The steps made before, by earlier processes.
  public let step: Int
  /// What the run needs and where it runs.
  public let facts: RunFacts
}

/// One step of a run.
public struct StepReport: Sendable {
  /// The number of the step, from 1.
  public let step: Int
  /// The steps of the whole run.
  public let total: Int
  /// The loss, its terms and groups, the gradient norm and the learning rate.
  public let metrics: Named<Float>
  /// The speed of the recent steps.
  public let speed: RunSpeed

  /// The loss.
  public var loss: Float { metrics["loss"] ?? .nan }
  /// The remaining seconds at the recent speed.
  public var remaining: Double { Double(total - step) / speed.stepsPerSecond }
}

/// The speed of the recent steps of a run.
public struct RunSpeed: Hashable, Sendable {
  /// Steps per second.
  public let stepsPerSecond: Double
  /// Samples of the batch per second.
  public let imagesPerSecond: Double
  /// FLOP/s of matrix multiplications, convolutions and attention over the measured peak of the
  /// device; nil where one of them is unknown.
  public let peakShare: Double?
  /// The fraction of the time in which the devices waited for data.
  public let dataWait: Double

  /// The figures by their names in the log.
  public var named: Named<Float> {
    var named = Named<Float>([("images_per_second", Float(imagesPerSecond))])
    if let peakShare { named["peak_share"] = Float(peakShare) }
    named["data_wait"] = Float(dataWait)
    return named
  }
}

/// What looking at the weights of a run found.
public enum Finding: Sendable {
  /// Figures by name.
  case metrics(Named<Float>)
  /// A picture with its name.
  case picture(String, Picture)
}

/// How a run ended, as far as this process goes.
public enum RunEnd: Sendable {
  /// All steps are made.
  case finished
  /// It was stopped, and saved, after a step.
  case stopped(after: Int)
  /// An error ended it; the text is its description.
  case failed(String)
}

/// The weights of a run after a step, on the devices. They are valid until the observer returns.
public struct RunWeights {
  /// The steps made.
  public let step: Int
  /// The weights that the run would save for generation, with frozen ones and LoRA's matrices as
  /// they are.
  public let parameters: Named<ShardedArray>
  /// The weights for generation, with LoRA merged.
  public let merged: () throws -> Named<ShardedArray>
}
