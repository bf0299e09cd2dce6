import Files
import Foundation
import Recipe

/// What is known of a run besides its log and checkpoint, in the file `run.json` of its folder.
public struct RunRecord: Codable, Hashable, Sendable {
  /// The command that made the run.
  public var command: String
  /// The recipe as YAML, with the sizes of the network that it started from.
  public var recipe: String
  /// What the run needs and where it runs.
  public var facts: RunFacts
  /// The time of the first start, ISO 8601.
  public var started: String
  /// The seconds of training in all processes so far.
  public var seconds = 0.0
  /// The steps made when the record was written.
  public var step: Int
  /// The steps of the whole run.
  public var steps: Int
  /// How the run stood when the record was written.
  public var state = State.running
  /// The error that ended the run.
  public var problem: String?

  /// How a run stands.
  public enum State: String, Codable, Sendable {
    /// A process was making steps.
    case running
    /// All steps were made.
    case finished
    /// It was stopped, and saved.
    case stopped
    /// An error ended it.
    case failed
  }

  /// The name of the file.
  public static let name = "run.json"

  /// Reads the record of a folder.
  ///
  /// - Throws: `FileError.unreadable`, and `DecodingError` for other content.
  public init(of folder: String) throws {
    let file = try MappedFile("\(folder)/\(Self.name)")
    self = try withExtendedLifetime(file) {
      try JSONDecoder().decode(Self.self, from: Data(file.bytes))
    }
  }

  /// The record at the start of a run, or when it is resumed.
  init(_ start: RunStart) throws {
    let recipe = start.recipe
    command = start.command
    self.recipe = try RecipeWriter.plainText(recipe)
    facts = start.facts
    (step, steps) = (start.step, recipe.steps)
    started = Date().formatted(.iso8601)
    if start.step > 0, let earlier = try? RunRecord(of: recipe.output) {
      (started, seconds) = (earlier.started, earlier.seconds)
    }
  }

  /// Writes the record, atomically.
  ///
  /// - Throws: `FileError`.
  func write(to folder: String) throws { try JSONFile.write(self, to: "\(folder)/\(Self.name)") }
}

/// Keeps the record of a run up to date.
public final class RunRecorder: RunObserver {
  private let notice: (String) -> Void
  private var record: RunRecord?
  private var folder = ""
  private var begun = ContinuousClock.now
  private var earlier = 0.0
  private var step = 0

  /// Makes the observer.
  ///
  /// - Parameter notice: called once where the record cannot be written; the run goes on without it.
  public init(notice: @escaping (String) -> Void) { self.notice = notice }

  /// Writes the record of a run that starts.
  public func begin(_ start: RunStart) throws {
    folder = start.recipe.output
    let record = try RunRecord(start)
    (begun, earlier, step) = (.now, record.seconds, start.step)
    self.record = record
    update()
  }

  /// Notes the step.
  public func observe(_ report: StepReport) { step = report.step }

  /// Writes the record, with the step of the checkpoint.
  public func saved(after step: Int) { update() }

  /// Writes how the run ended.
  public func end(_ end: RunEnd) {
    switch end {
    case .finished: record?.state = .finished
    case .stopped: record?.state = .stopped
    case .failed(let problem):
      record?.state = .failed
      record?.problem = problem
    }
    update()
  }

  private func update() {
    guard var record else { return }
    record.step = step
    record.seconds = earlier + (ContinuousClock.now - begun) / .seconds(1)
    self.record = record
    do {
      try record.write(to: folder)
    } catch {
      notice("\(error) The run goes on without a record.")
      self.record = nil
    }
  }
}
