import Foundation
import Models
import Runtime

/// What can go wrong with a run, besides the errors of files, plugins and recipes.
public enum TrainingError: Error, Equatable, CustomStringConvertible {
  /// A loss is not a number or is infinite.
  case notFinite(losses: [String], step: Int, checkpoint: String?)
  /// A run needs more bytes than its devices have, by its sizes alone.
  case tooLarge(needed: Double, device: Int)
  /// The folder of the run holds another run's checkpoint.
  case otherRun(path: String, difference: String)
  /// The folder of the run holds a checkpoint, and nobody said what is to become of it.
  case wouldOverwrite(path: String)
  /// There is nothing to go on from.
  case nothingToResume(path: String)
  /// A file of weights is no checkpoint of a run.
  case notACheckpoint(path: String)
  /// What a checkpoint says of its run cannot be read.
  case unreadableCheckpoint(path: String, reason: String)
  /// A checkpoint has the names of an earlier version.
  case oldCheckpoint(path: String)
  /// The folder of the run was made by another command; nil where it does not say by which.
  case otherCommand(path: String, found: String?, expected: String)
  /// The folder of the run holds a run's files without its checkpoint.
  case otherFiles(path: String)
  /// A run would go on from a step that lies beyond its end.
  case beyondTheEnd(path: String, step: Int, steps: Int)
  /// A file is of another network than is needed.
  case otherModel(path: String, found: ModelConfig, expected: ModelConfig)

  /// What was found, what was expected and what to do.
  public var description: String {
    switch self {
    case .notFinite(let losses, let step, let checkpoint):
      let kept =
        checkpoint.map { "The last good checkpoint is kept in \($0)." }
        ?? "No checkpoint had been written yet."
      return "The loss is not finite at step \(step) (\(losses.joined(separator: ", "))). \(kept) "
        + "A lower learning rate or clipped gradients (optimizer.max_grad_norm) may help."
    case .tooLarge(let needed, let device):
      let text = { (bytes: Double) in
        bytes < 1e15
          ? String(format: "%.2f GB", bytes / 1e9) : String(format: "%.2g GB", bytes / 1e9)
      }
      return "The device is out of memory: the weights, what the optimizer keeps for them and a "
        + "batch take \(text(needed)) at least; the device has \(text(Double(device))). "
        + RuntimeError.advice
    case .otherRun(let path, let difference):
      return "\(path) is the checkpoint of another run: \(difference). "
        + "Resume with the recipe that it was made with, or choose another output folder."
    case .wouldOverwrite(let path):
      return "\(path) holds a checkpoint already. Go on from it with --resume, or choose another "
        + "output folder with --set output=FOLDER."
    case .nothingToResume(let path):
      return "There is no checkpoint at \(path). Start the run without --resume."
    case .notACheckpoint(let path):
      return "\(path) is no checkpoint of a run. "
        + "Start the run without --resume, into another folder."
    case .unreadableCheckpoint(let path, let reason):
      return "\(path) is the checkpoint of a run whose recipe cannot be read: \(reason). Resume it "
        + "with the version of this program that wrote it, or start anew in another folder."
    case .oldCheckpoint(let path):
      return
        "\(path) is the checkpoint of version 0.1 of this program, which called weights by other "
        + "names; it cannot be resumed. The weights.safetensors beside it are still read: start a new "
        + "run from them, with start=FOLDER/weights.safetensors and another output."
    case .otherCommand(let path, let found, let expected):
      let run = found.map { "a run of twinflow \($0)" } ?? "a run that does not say what made it"
      return "\(path) holds \(run), which twinflow \(expected) would replace. "
        + "Choose another output folder, or delete that one."
    case .otherFiles(let path):
      return
        "\(path) is there already, without a checkpoint beside it that a run could go on from. "
        + "Choose another output folder, or move it away."
    case .beyondTheEnd(let path, let step, let steps):
      return "\(path) is of step \(step), and the run shall have \(steps) steps. Resume it with "
        + "--set steps=N for an N of \(step) or more."
    case .otherModel(let path, let found, let expected):
      return "\(path) holds the weights of the model \(found); the recipe's is \(expected). "
        + "Give the recipe the model of the weights that it starts from."
    }
  }
}
