import Tensors

/// What can go wrong with a trained model and with generating from it.
public enum PipelineError: Error, Equatable, CustomStringConvertible {
  /// A file of weights does not describe its network.
  case noModel(path: String)
  /// The description of the network in a file of weights is invalid.
  case unreadableCard(path: String, reason: String)
  /// The base weights of LoRA are missing or have changed.
  case otherBase(path: String, places: [String])
  /// The network does not generate images.
  case notGenerative(path: String)
  /// The network's samples are not pictures that a PNG file can hold.
  case notPictures(path: String, shape: Shape)
  /// Generated images have pixels that are NaN or infinite.
  case imagesNotFinite(path: String, guidance: Double)
  /// A class is not one of the network's; with the data that it came from, if known.
  case unknownClass(String, classes: Int, source: String?)
  /// Weights are beyond the range of the element type to store them in.
  case beyondRange(path: String, dtype: DType, names: [String], count: Int)
  /// An image is too long and narrow for the network.
  case tooNarrow(width: Int, height: Int, limit: Int)
  /// The network is not a classifier.
  case notAClassifier(path: String)

  /// What was found, what was expected and what to do.
  public var description: String {
    switch self {
    case .noModel(let path):
      return "\(path) does not name its network. Weights that this program has written do, under "
        + "\"twinflow\" in the file's metadata."
    case .unreadableCard(let path, let reason):
      return "\(path) does not describe its network as it should, under \"twinflow\" in the file's "
        + "metadata: \(reason). Use the version of this program that wrote the file, or write it again."
    case .otherBase(let path, let places):
      return "\(path) holds LoRA, and its base weights are not in "
        + places.joined(separator: ", nor in ")
        + ". Put the file that the run started from in one of "
        + "these places; a file with other content is not accepted."
    case .notGenerative(let path):
      return "\(path) holds a classifier, which generates no images. "
        + "Give the weights of a trained generator."
    case .notPictures(let path, let shape):
      return
        "\(path) makes samples of the shape \(shape), which are not pictures: those have a height, a "
        + "width and 1, 3 or 4 channels. twinflow compare draws points."
    case .imagesNotFinite(let path, let guidance):
      let why =
        guidance == 0
        ? "its weights are damaged. Train or download them again"
        : "its weights are damaged, or guidance of \(guidance) is too strong for them. Try it without "
          + "guidance, or train or download the weights again"
      return "The samples that \(path) makes are not finite: \(why)."
    case .unknownClass(let found, let classes, let source):
      return "\(source.map { "A class of \($0)" } ?? "A class") is \(found); the network has the "
        + "classes 0 to \(classes - 1). "
        + (source == nil
          ? "Name one of them." : "Set model.classes to the number of the data's classes.")
    case .beyondRange(let path, let dtype, let names, let count):
      let shown = names.prefix(5).joined(separator: ", ")
      let rest = names.count > 5 ? " and \(names.count - 5) more" : ""
      return "\(count) number\(count == 1 ? "" : "s") of \(path) would become infinite in "
        + "\(dtype.rawValue): in \(shown)\(rest). Choose a type with a wider range; "
        + "twinflow convert --allow-overflow lets them become infinite."
    case .tooNarrow(let width, let height, let limit):
      return "An image has \(width) × \(height) pixels; its longer side may be at most \(limit) "
        + "times the shorter one. Crop it."
    case .notAClassifier(let path):
      return "\(path) does not hold a classifier, which measuring distances needs. "
        + "Give the weights of one with --classifier."
    }
  }
}
