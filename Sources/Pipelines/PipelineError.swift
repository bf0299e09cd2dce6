import Foundation
import Models
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
  /// A file holds LoRA of a published network, which pipelines use as it is.
  case publishedLoRA(path: String)
  /// A network takes text, which a whole model encodes.
  case takesText(path: String?)
  /// The network's samples are not pictures that a PNG file can hold.
  case notPictures(path: String, shape: Shape)
  /// Generated images have pixels that are NaN or infinite.
  case imagesNotFinite(path: String, guidance: Double)
  /// A class is not one of the network's; with the data that it came from, if known.
  case unknownClass(String, classes: Int, source: String?)
  /// No class of the model has a name; with the nearest one.
  case unknownClassName(String, classes: Int, nearest: String?)
  /// Several classes of the model have one name.
  case ambiguousClass(String, numbers: [Int])
  /// Weights are beyond the range of the element type to store them in.
  case beyondRange(path: String, dtype: DType, names: [String], count: Int)
  /// An image is too long and narrow for the network.
  case tooNarrow(width: Int, height: Int, limit: Int)
  /// A folder holds no network whose matrices can be quantized.
  case nothingToQuantize(path: String, reasons: [String])
  /// The network is not a classifier.
  case notAClassifier(path: String)
  /// A model is not found by its name; with the places that were searched.
  case unknownModel(String, places: [String], nearest: String?)
  /// A model that a script of this program fetches is not there.
  case notFetched(String, places: [String], script: String)
  /// A folder is no model as diffusers saves it.
  case noPipeline(path: String, found: String)
  /// A model's index cannot be used.
  case wrongIndex(path: String, reason: String)
  /// The folder of a component is missing.
  case noComponent(path: String, component: String)
  /// A model of OpenUni's has no connector where it should be.
  case noConnector(path: String, place: String)
  /// A model's pipeline is not supported.
  case unknownPipeline(path: String, found: String, known: [String])
  /// A component's architecture is not supported.
  case unknownNetwork(path: String, found: String, known: [String])
  /// Components of a model do not belong together.
  case unfitComponents(path: String, reason: String)
  /// A file of a network's folder is missing.
  case missingFile(path: String, file: String, purpose: String)
  /// A network cannot do what it is asked for.
  case unableNetwork(path: String, reason: String)
  /// A prompt is empty.
  case emptyPrompt
  /// A model does not make pictures of a size.
  case wrongSize(ImageSize, multiple: Int, nearest: ImageSize)
  /// A picture has more pixels on a side than its network has positions for.
  case tooLargeSize(ImageSize, largest: Int)
  /// A pipeline takes another number of reference images.
  case wrongReferences(pipeline: String, found: Int, expected: ClosedRange<Int>)
  /// Guidance is asked of a network whose weights have it already.
  case guidanceInWeights(path: String, scale: Double)
  /// A negative prompt is given, and no guidance uses it.
  case negativeWithoutGuidance(start: Double)
  /// Guidance by skipped blocks is asked of a pipeline without it.
  case noLayerSkipping(pipeline: String)
  /// Guidance is to leave out a block that the network does not have.
  case unknownLayer(Int, count: Int)
  /// Guidance by skipped blocks is asked for without other guidance.
  case skippingWithoutGuidance(start: Double)
  /// A sampler for target times is asked of a network without them.
  case noTargetTimes(path: String)
  /// A shift of the schedule is asked of a network with target times.
  case shiftOfAnyStep
  /// A shift of the schedule is asked of a pipeline whose schedule has none.
  case noShift(pipeline: String)
  /// A negative prompt is given to a network that embeds the scale of guidance.
  case noNegative(pipeline: String)
  /// A picture has no record of how it was made.
  case noRecord(path: String, reason: String)
  /// A file that a picture was made with has changed.
  case changedInput(path: String, expected: String, found: String)
  /// A run does not fit into memory, by its plan.
  case tooLarge(phase: String, needed: Int, capacity: Int, advice: String)

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
    case .publishedLoRA(let path):
      return "\(path) holds LoRA of a published model, which is not merged into a file: "
        + "use twinflow generate, with --model FOLDER --lora \(path)."
    case .takesText(let path):
      return "\(path ?? "The network") takes text, which the encoders of a whole model encode: "
        + "use twinflow generate, with --model FOLDER --transformer \(path ?? "FILE")."
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
    case .unknownClassName(let name, let classes, let nearest):
      return "No class of the model is called \"\(name)\""
        + (nearest.map { "; did you mean \"\($0)\"?" } ?? ".")
        + " Classes are named by the numbers 0 to \(classes - 1), or by the names under id2label in the "
        + "model's index."
    case .ambiguousClass(let name, let numbers):
      return
        "\(numbers.count) classes of the model are called \"\(name)\": name one by its number, "
        + numbers.map(String.init).joined(separator: " or ") + "."
    case .beyondRange(let path, let dtype, let names, let count):
      let shown = names.prefix(5).joined(separator: ", ")
      let rest = names.count > 5 ? " and \(names.count - 5) more" : ""
      return "\(count) number\(count == 1 ? "" : "s") of \(path) would become infinite in "
        + "\(dtype.rawValue): in \(shown)\(rest). Choose a type with a wider range; "
        + "twinflow convert --allow-overflow lets them become infinite."
    case .tooNarrow(let width, let height, let limit):
      return "An image has \(width) × \(height) pixels; its longer side may be at most \(limit) "
        + "times the shorter one. Crop it."
    case .nothingToQuantize(let path, let reasons):
      return "\(path) holds no network that can be quantized: \(reasons.joined(separator: "; ")). "
        + "Name a diffusers folder, or the folder of a transformer or text encoder."
    case .notAClassifier(let path):
      return "\(path) does not hold a classifier, which measuring distances needs. "
        + "Give the weights of one with --classifier."
    case .unknownModel(let name, let places, let nearest):
      return "There is no model \(name): it is no folder, and not in "
        + "\(places.joined(separator: ", ")). "
        + (nearest.map { "Did you mean \($0)? " } ?? "")
        + "Give the path of the model's folder, or set TWINFLOW_MODELS to the folder that it is in."
    case .notFetched(let name, let places, let script):
      return "\(name) is not in \(places.joined(separator: ", nor in ")). "
        + "\(script) downloads it, which takes a minute; or give its folder."
    case .noPipeline(let path, let found):
      return "\(path) is not the folder of a model: it has no \(ModelFolder.index), and \(found). "
        + "Give the folder that the model was downloaded to, as diffusers saves it."
    case .wrongIndex(let path, let reason):
      return "\(path) does not describe a model: \(reason). Download it again."
    case .noComponent(let path, let component):
      return "\(path) has no folder \(component), which its \(ModelFolder.index) names. "
        + "Download the model again, or give --\(component == "text_encoder" ? "text-encoder" : component)."
    case .noConnector(let path, let place):
      return "\(path) has no connector: \(place) has no meta_queries, connector and projector. Put "
        + "a checkpoint of OpenUni's, such as openuni_l_….pth, in its folder transformer in place of the "
        + "weights there, name it under \(ModelFolder.connector) in \(ModelFolder.index), or give it as "
        + "--transformer."
    case .unknownPipeline(let path, let found, let known):
      return "\(path) is a model for \(found), which is not supported. Supported are "
        + "\(known.joined(separator: ", "))."
    case .unknownNetwork(let path, let found, let known):
      return "\(path) describes a network of the kind \(found), which is not supported here. "
        + "Supported are \(known.joined(separator: ", "))."
    case .unfitComponents(let path, let reason):
      return "The components of \(path) do not fit each other: \(reason). "
        + "Use components of one model."
    case .missingFile(let path, let file, let purpose):
      return "\(path) has no \(file), which says \(purpose). Download the whole folder again."
    case .unableNetwork(let path, let reason):
      return "\(path) cannot be used for this: \(reason)."
    case .emptyPrompt:
      return "The prompt is empty. Say what the picture is to show."
    case .wrongSize(let size, let multiple, let nearest):
      return
        "The size is \(size), and this model makes pictures whose width and height are multiples "
        + "of \(multiple). The nearest size is \(nearest)."
    case .tooLargeSize(let size, let largest):
      return "The size is \(size), and this model makes pictures of at most \(largest) pixels on a "
        + "side. Give a smaller --size."
    case .wrongReferences(let pipeline, let found, let expected):
      guard expected.upperBound > 0 else {
        return "\(pipeline) takes no images, and \(found) "
          + "\(found == 1 ? "was" : "were") given. Leave out --image, or use a model for editing."
      }
      let range =
        expected.count == 1
        ? "\(expected.lowerBound)" : "\(expected.lowerBound) to \(expected.upperBound)"
      return "\(pipeline) edits \(range) image\(expected.upperBound == 1 ? "" : "s"), and \(found) "
        + "\(found == 1 ? "was" : "were") given. Give each with --image."
    case .guidanceInWeights(let path, let scale):
      return
        "Guidance of \(scale) was requested, and \(path) was trained with guidance in its weights. "
        + "Leave out --guidance."
    case .negativeWithoutGuidance(let start):
      return "A negative prompt was given, and only guidance uses one. "
        + "Give --guidance above \(start), or leave out --negative."
    case .noLayerSkipping(let pipeline):
      return "\(pipeline) has no guidance by skipped blocks. Leave out --skip-layers."
    case .unknownLayer(let layer, let count):
      return "Guidance is to skip block \(layer), and the transformer has the blocks 0 to "
        + "\(count - 1). Name some of them with --skip-layers."
    case .skippingWithoutGuidance(let start):
      return "Blocks are to be skipped, which only guidance does. "
        + "Give --guidance above \(start), or leave out --skip-layers."
    case .noTargetTimes(let path):
      return "\(path) has no embedder of target times, so it takes only Euler steps. "
        + "Leave out --style and --stochastic."
    case .shiftOfAnyStep:
      return "A shift was requested, and networks with target times have a sampler of their own. "
        + "Leave out --shift."
    case .noShift(let pipeline):
      return "A shift was requested, and the schedule of \(pipeline) has none. Leave out --shift."
    case .noNegative(let pipeline):
      return "A negative prompt was given, and \(pipeline) has guidance without one. "
        + "Leave out --negative."
    case .noRecord(let path, let reason):
      return "\(path) does not say how it was made: \(reason). "
        + "Give a PNG file that twinflow generate has written."
    case .changedInput(let path, let expected, let found):
      return "\(path) has changed since the picture was made: its hash is \(found), and was "
        + "\(expected). Restore the file, or describe a new picture without --like."
    case .tooLarge(let phase, let needed, let capacity, let advice):
      let gigabytes = { (bytes: Int) in String(format: "%.1f GB", Double(bytes) / 1e9) }
      return "To \(phase) takes \(gigabytes(needed)), and the device has \(gigabytes(capacity)). "
        + advice
    }
  }
}
