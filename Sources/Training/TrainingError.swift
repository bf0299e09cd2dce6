import Foundation
import Models
import Runtime

/// What can go wrong with a run, besides the errors of files, plugins and recipes.
public enum TrainingError: Error, Equatable, CustomStringConvertible {
  /// A loss is not a number or is infinite.
  case notFinite(losses: [String], step: Int, checkpoint: String?)
  /// The weights and batches of a run alone exceed the devices' memory.
  case tooLarge(needed: Double, device: Int)
  /// The folder of the run holds another run's checkpoint.
  case otherRun(path: String, difference: String)
  /// The folder of the run holds a checkpoint, and `--resume` was not given.
  case wouldOverwrite(path: String)
  /// There is no checkpoint to resume from.
  case nothingToResume(path: String)
  /// Files of a checkpoint are missing or not as they were written, and no other checkpoint is whole.
  case damagedCheckpoint(path: String, reason: String)
  /// A run has no checkpoint of a step.
  case noSuchCheckpoint(path: String, step: Int, known: [Int])
  /// The state of a run could not be saved.
  case notSaved(step: Int, reason: String, checkpoint: String?)
  /// A run was stopped before its first step.
  case stopped(before: String)
  /// A file of weights is not a checkpoint of a run.
  case notACheckpoint(path: String)
  /// The recipe in a checkpoint cannot be read.
  case unreadableCheckpoint(path: String, reason: String)
  /// A checkpoint has the names of an earlier version.
  case oldCheckpoint(path: String)
  /// The run in the folder was made by another command, nil where it is not recorded.
  case otherCommand(path: String, found: String?, expected: String)
  /// The folder of the run holds a run's files without its checkpoint.
  case otherFiles(path: String)
  /// A run would be resumed from a step beyond its end.
  case beyondTheEnd(path: String, step: Int, steps: Int)
  /// A file holds the weights of another network than the recipe's.
  case otherModel(path: String, found: ModelConfig, expected: ModelConfig)
  /// The weights to start from are only LoRA.
  case startsFromLoRA(path: String)
  /// A published model's encoders are not named.
  case noEncoders(start: String?)
  /// The encoders' model does not fit the data or the network.
  case unfitEncoders(path: String, reason: String)
  /// A text has more tokens than the recipe's.
  case longText(sample: String, tokens: Int, limit: Int)
  /// A run trains no text-to-image model.
  case noWholeModel(path: String, weights: String)

  /// What was found, what was expected and what to do.
  public var description: String {
    switch self {
    case .noWholeModel(let path, let weights):
      return "\(path) is a run that trains no text-to-image model. Make pictures with: "
        + "twinflow sample \(weights)"
    case .notFinite(let losses, let step, let checkpoint):
      let kept =
        checkpoint.map { "The last good checkpoint is in \($0)." }
        ?? "No checkpoint had been written yet."
      return "The loss is not finite at step \(step) (\(losses.joined(separator: ", "))). \(kept) "
        + "A lower learning rate or clipped gradients (optimizer.max_grad_norm) may help."
    case .tooLarge(let needed, let device):
      let text = { (bytes: Double) in
        bytes < 1e15
          ? String(format: "%.2f GB", bytes / 1e9) : String(format: "%.2g GB", bytes / 1e9)
      }
      return "The device is out of memory: the weights, the optimizer's state and a batch "
        + "take at least \(text(needed)); the device has \(text(Double(device))). "
        + RuntimeError.advice
    case .otherRun(let path, let difference):
      return "\(path) is the checkpoint of another run: \(difference). "
        + "Resume with the recipe that it was made with, or choose another output folder."
    case .wouldOverwrite(let path):
      return "\(path) holds a checkpoint already. Resume it with --resume, or choose another "
        + "output folder with --set output=FOLDER."
    case .nothingToResume(let path):
      return "There is no checkpoint in \(path). Start the run without --resume."
    case .damagedCheckpoint(let path, let reason):
      return "\(path) is damaged: \(reason). No other checkpoint of the run is whole, so it cannot "
        + "be resumed: start it again in another folder."
    case .noSuchCheckpoint(let path, let step, let known):
      return "\(path) has no checkpoint of step \(step): it has those of "
        + known.sorted().map { "\($0)" }.joined(separator: ", ") + "."
    case .notSaved(let step, let reason, let checkpoint):
      let kept =
        checkpoint.map { "The last good checkpoint is \($0): resume from it with --resume." }
        ?? "No checkpoint had been written yet."
      return "The state of step \(step) was not saved. \(reason) \(kept)"
    case .stopped(let work):
      return "Stopped before \(work). The same command starts again."
    case .notACheckpoint(let path):
      return "\(path) is not a checkpoint of a run. "
        + "Start the run without --resume, into another folder."
    case .unreadableCheckpoint(let path, let reason):
      return "\(path) is the checkpoint of a run whose recipe cannot be read: \(reason). Resume it "
        + "with the version of this program that wrote it, or start again in another folder."
    case .oldCheckpoint(let path):
      return
        "\(path) is the checkpoint of version 0.1 of this program, which had other names for "
        + "weights; it cannot be resumed. The weights.safetensors beside it are still read: start a new "
        + "run from them, with start=FOLDER/weights.safetensors and another output."
    case .otherCommand(let path, let found, let expected):
      let run = found.map { "a run of twinflow \($0)" } ?? "a run that does not record what made it"
      return "\(path) holds \(run), which twinflow \(expected) would replace. "
        + "Choose another output folder, or delete that one."
    case .otherFiles(let path):
      return
        "\(path) exists already, without a checkpoint beside it that a run could resume from. "
        + "Choose another output folder, or move it away."
    case .beyondTheEnd(let path, let step, let steps):
      return "\(path) is of step \(step), and the run is to have \(steps) steps. Resume it with "
        + "--set steps=N for an N of \(step) or more."
    case .otherModel(let path, let found, let expected):
      return "\(path) holds the weights of the model \(found); the recipe's is \(expected). "
        + "Give the recipe the model of the weights that it starts from."
    case .startsFromLoRA(let path):
      return "\(path) holds LoRA, and a run starts from a whole network. "
        + "Merge it first: twinflow convert \(path) whole.safetensors, and start from that."
    case .noEncoders(let start):
      return "The prompts need the text encoder and the autoencoder of a whole model, and "
        + (start.map { "\($0) is no folder of one. " } ?? "the recipe starts from none. ")
        + "Name its folder under encoders."
    case .unfitEncoders(let path, let reason):
      return "The model \(path) does not fit this recipe: \(reason)."
    case .longText(let sample, let tokens, let limit):
      return "A text of \(sample) has \(tokens) tokens, and data.text_tokens is \(limit). "
        + "Shorten it, or set text_tokens to \(tokens) or more."
    }
  }
}
