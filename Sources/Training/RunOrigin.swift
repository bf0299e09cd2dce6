import Pipelines

/// What the result of a run depends on besides its recipe, and the command that made it.
struct RunOrigin: Codable, Equatable {
  /// The hash of the data's content.
  var data: String
  /// The hash of the initial weights, nil for fresh ones.
  var start: String?
  /// The hash of LoRA that was on in training only, nil without.
  var trainingLoRA: String?
  /// The version of the program.
  var version = programVersion
  /// The command that made the run.
  var command: String
}
