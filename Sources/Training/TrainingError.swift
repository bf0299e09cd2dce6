import Foundation
import Models
import Tensors

/// What can go wrong with a run, besides the errors of files, plugins and recipes.
public enum TrainingError: Error, Equatable, CustomStringConvertible {
  /// A loss is not a number or is infinite.
  case notFinite(losses: [String], step: Int, checkpoint: String?)
  /// A step does not fit into the device's memory; bytes of the compiler's plan and of the device.
  case outOfMemory(needed: ProgramMemory?, device: Int?, message: String)
  /// The folder of the run holds another run's checkpoint.
  case otherRun(path: String, difference: String)
  /// The folder of the run holds a checkpoint, and nobody said what is to become of it.
  case wouldOverwrite(path: String)
  /// There is nothing to go on from.
  case nothingToResume(path: String)
  /// A file of weights is no checkpoint of a run.
  case notACheckpoint(path: String)
  /// A file of weights does not say what network it is of.
  case noModel(path: String)
  /// A file is of another network than is needed.
  case otherModel(path: String, found: ModelConfig, expected: ModelConfig)
  /// The weights are of a network that makes no images.
  case notGenerative(path: String)
  /// The weights make images with pixels that are no numbers.
  case imagesNotFinite(path: String)
  /// The weights are of another network than a classifier.
  case notAClassifier(path: String)

  /// What was found, what was expected and what to do.
  public var description: String {
    switch self {
    case .notFinite(let losses, let step, let checkpoint):
      let kept =
        checkpoint.map { "The last good checkpoint is kept in \($0)." }
        ?? "No checkpoint had been written yet."
      return "The loss is not finite at step \(step) (\(losses.joined(separator: ", "))). \(kept) "
        + "A lower learning rate or clipped gradients (optimizer.clip) may help."
    case .outOfMemory(let needed, let device, let message):
      let gigabytes = { (bytes: Int) in String(format: "%.2f GB", Double(bytes) / 1e9) }
      let plan = needed.map {
        " A step needs \(gigabytes($0.total)) on each device by the compiler's plan: "
          + "\(gigabytes($0.arguments)) for weights and what is kept with them, "
          + "\(gigabytes($0.temporaries)) for gradients and activations."
      }
      let limit = device.map { " The device has \(gigabytes($0))." }
      return "The device is out of memory.\(plan ?? "")\(limit ?? "") Lower the batch, set "
        + "model.execution to recomputed or precision to bf16, train adapters, or spread the run "
        + "over more devices with mesh.fsdp; twinflow plan shows what each would need. "
        + "(\(message))"
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
    case .noModel(let path):
      return "\(path) does not name its network. Weights that this program has written do, under "
        + "\"twinflow\" in the file's metadata."
    case .otherModel(let path, let found, let expected):
      return "\(path) holds the weights of \(found); the recipe's model is \(expected). "
        + "Give the recipe the model of the weights that it starts from."
    case .notGenerative(let path):
      return "\(path) holds a classifier, which makes no images. "
        + "Give the weights of a trained generator."
    case .imagesNotFinite(let path):
      return "The images that \(path) makes have pixels that are not finite: its weights are "
        + "spoilt. Train or download them again."
    case .notAClassifier(let path):
      return "\(path) does not hold a classifier, whose features distances are measured in. "
        + "Give the weights of one with --classifier."
    }
  }
}
