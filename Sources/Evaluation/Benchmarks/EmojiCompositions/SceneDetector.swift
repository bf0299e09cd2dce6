import Datasets
import Layers
import Models
import Pictures
import Pipelines
import Runtime
import Tensors
import Weights

/// The detector of emoji-compositions, a network of this project.
public final class SceneDetector: GenEvalJudge, Sendable {
  /// The name, with the beginning of the weights' hash.
  public let name: String
  private let file: ModelFile
  private let config: DetectorConfig
  private let engine: Engine
  private let function: CompiledFunction

  /// The weights that come with the program.
  public static let shipped = "Assets/benchmarks/emoji-compositions/detector.safetensors"

  /// Loads a detector's weights.
  ///
  /// - Throws: `BenchmarkError.otherJudge` for another network or other classes, and the errors of files.
  public init(_ path: String, on engine: Engine) throws {
    self.engine = engine
    file = try ModelFile(path, on: engine)
    guard let config = file.model.architecture as? DetectorConfig else {
      throw BenchmarkError.otherJudge(
        path: path, reason: "it is a \(file.model.kind), and a detector is needed")
    }
    let (classes, colors) = (SceneClass.all.count, SceneClass.colors.count)
    guard (config.classes, config.colors) == (classes, colors) else {
      throw BenchmarkError.otherJudge(
        path: path,
        reason: "it knows \(config.classes) classes and \(config.colors) colors, and "
          + "emoji-compositions has \(classes) and \(colors)")
    }
    self.config = config
    name = "detector \(try WeightFiles.contentHash(path).prefix(8))"
    var arguments = try file.weights.types.prefixed("weights")
    arguments["picture"] = TensorType([1, config.size, config.size, 3], .float32)
    function = try engine.compile(arguments) { arguments in
      let weights = arguments.group("weights").mapValues { $0.cast(to: .float32) }
      let output = Scope.bind(weights) { Detector($0, config) }(arguments["picture"]!)
      return Named([
        ("centers", output.centers.sigmoid()), ("boxes", output.boxes), ("colors", output.colors),
      ])
    }
  }

  /// Whether a file of weights is that of a detector.
  ///
  /// - Throws: the errors of reading its head.
  public static func isDetector(_ path: String) throws -> Bool {
    try ModelHeader(path).card.model.architecture is DetectorConfig
  }

  /// The objects of a picture, which is resized where it has another size; those of classes that come in
  /// several colors have theirs.
  ///
  /// - Throws: the plugin's errors.
  public func detections(in picture: RGBImage) throws -> [GenEvalDetection] {
    let size = config.size
    let isSized = (picture.width, picture.height) == (size, size)
    let own = isSized ? picture : picture.resized(width: size, height: size, filter: .bicubic)
    let values = own.values.map { Float($0) / 127.5 - 1 }
    var arguments = try file.weights.prefixed("weights")
    arguments["picture"] = try engine.array(values, shape: [1, size, size, 3])
    let results = try function(arguments)
    let peaks = DetectorPeaks(
      side: config.cells, classes: config.classes, colors: config.colors,
      scores: try results["centers"]!.array(), boxes: try results["boxes"]!.array(),
      colorLogits: try results["colors"]!.array())
    let scale = (
      Float(picture.width) / Float(config.cells), Float(picture.height) / Float(config.cells)
    )
    return peaks.found.map { peak in
      let object = SceneClass.all[peak.label]
      let box = [
        peak.box[0] * scale.0, peak.box[1] * scale.1, peak.box[2] * scale.0,
        peak.box[3] * scale.1,
      ]
      return GenEvalDetection(
        className: object.name, box: box, score: peak.score,
        color: object.colors.isEmpty ? nil : SceneClass.colors[peak.color])
    }
  }

  /// The objects of a picture, whatever the prompt.
  ///
  /// - Throws: the plugin's errors.
  public func detections(
    in picture: RGBImage, for prompt: GenEvalPrompt
  ) throws -> [GenEvalDetection] { try detections(in: picture) }
}
