import Foundation
import Models
import Tensors

/// What can go wrong with a run, besides the errors of files, plugins and recipes.
public enum TrainingError: Error, Equatable, CustomStringConvertible {
  /// A loss is not a number or is infinite.
  case notFinite(losses: [String], step: Int, checkpoint: String?)
  /// A program does not fit into the device's memory; bytes of the compiler's plan and of the
  /// device, and what the plugin said if it got that far.
  case outOfMemory(needed: ProgramMemory?, device: Int?, message: String?)
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
  /// A file of weights does not say what network it is of.
  case noModel(path: String)
  /// What a file of weights says of its network cannot be read.
  case unreadableCard(path: String, reason: String)
  /// The weights that adapters are added to are not where they were, or have changed.
  case otherBase(path: String, places: [String])
  /// A file is of another network than is needed.
  case otherModel(path: String, found: ModelConfig, expected: ModelConfig)
  /// The weights are of a network that makes no images.
  case notGenerative(path: String)
  /// The network's samples are no pictures that a PNG file can hold.
  case notPictures(path: String, shape: Shape)
  /// The weights make images with pixels that are NaN or infinite.
  case imagesNotFinite(path: String, guidance: Double)
  /// A label is none of the classes that the network knows; the data it came from, if it is known.
  case unknownLabel(Int, classes: Int, source: String?)
  /// Weights are beyond the range of the type that they are to be stored in.
  case beyondRange(path: String, dtype: DType, names: [String], count: Int)
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
        + "A lower learning rate or clipped gradients (optimizer.max_grad_norm) may help."
    case .outOfMemory(let needed, let device, let message):
      let gigabytes = { (bytes: Int) in String(format: "%.2f GB", Double(bytes) / 1e9) }
      let plan = needed.map {
        " The program needs \(gigabytes($0.total)) on each device by the compiler's plan: "
          + "\(gigabytes($0.arguments)) for weights and what is kept with them, "
          + "\(gigabytes($0.temporaries)) for gradients and activations."
      }
      let limit = device.map { " The device has \(gigabytes($0))." }
      return "The device is out of memory.\(plan ?? "")\(limit ?? "") \(Self.smaller)"
        + (message.map { " (\($0))" } ?? "")
    case .tooLarge(let needed, let device):
      let text = { (bytes: Double) in
        bytes < 1e15
          ? String(format: "%.2f GB", bytes / 1e9) : String(format: "%.2g GB", bytes / 1e9)
      }
      return "The device is out of memory: the weights, what the optimizer keeps for them and a "
        + "batch take \(text(needed)) at least; the device has \(text(Double(device))). "
        + Self.smaller
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
    case .noModel(let path):
      return "\(path) does not name its network. Weights that this program has written do, under "
        + "\"twinflow\" in the file's metadata."
    case .unreadableCard(let path, let reason):
      return "\(path) does not describe its network as it should, under \"twinflow\" in the file's "
        + "metadata: \(reason). Use the version of this program that wrote the file, or write it anew."
    case .otherBase(let path, let places):
      return "\(path) holds adapters, and the weights that they are added to are not in "
        + places.joined(separator: ", nor in ")
        + ". Put the file that the run started from in one of "
        + "these places; a file with other content is not taken."
    case .otherModel(let path, let found, let expected):
      return "\(path) holds the weights of the model \(found); the recipe's is \(expected). "
        + "Give the recipe the model of the weights that it starts from."
    case .notGenerative(let path):
      return "\(path) holds a classifier, which makes no images. "
        + "Give the weights of a trained generator."
    case .notPictures(let path, let shape):
      return
        "\(path) makes samples of the shape \(shape), which are no pictures: height, width and "
        + "1, 3 or 4 channels are. twinflow compare draws points."
    case .imagesNotFinite(let path, let guidance):
      let why =
        guidance == 0
        ? "its weights are damaged. Train or download them again"
        : "its weights are damaged, or guidance of \(guidance) is too much for them. Try it without "
          + "guidance, or train or download the weights again"
      return "The samples that \(path) makes are not finite: \(why)."
    case .unknownLabel(let label, let classes, let source):
      return "\(source.map { "A label of \($0)" } ?? "A label") is \(label); the network knows the "
        + "classes 0 to \(classes - 1). Set model.classes to the number of the data's classes."
    case .beyondRange(let path, let dtype, let names, let count):
      let shown = names.prefix(5).joined(separator: ", ")
      let rest = names.count > 5 ? " and \(names.count - 5) more" : ""
      return "\(count) number\(count == 1 ? "" : "s") of \(path) would become infinite in "
        + "\(dtype.rawValue): in \(shown)\(rest). Choose a type with a wider range; "
        + "twinflow convert --allow-overflow lets them become infinite."
    case .notAClassifier(let path):
      return "\(path) does not hold a classifier, whose features distances are measured in. "
        + "Give the weights of one with --classifier."
    }
  }

  /// What makes a run smaller.
  private static let smaller =
    "Lower the batch, set model.execution to recomputed or precision to bf16, train adapters, or "
    + "spread the run over more devices with mesh.fsdp; twinflow plan shows what each would need."
}
