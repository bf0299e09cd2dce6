import Files
import Pictures
import Runtime
import Weights

/// Scores pictures of the prompts of emoji-compositions as they are made, by the detector that this program
/// comes with.
public struct SceneScoring: Sendable {
  /// The identity of prompts and detector.
  public let content: String
  private let detector: SceneDetector
  private let prompts: [String: GenEvalPrompt]
  private let rule = Benchmark.emojiCompositions.objectRule

  /// Loads the detector and the prompts that this program comes with.
  ///
  /// - Throws: `FileError`, and the plugin's errors.
  public init(on engine: Engine) throws {
    let files = SharedFiles.standard
    let weights = try files.path(SceneDetector.shipped)
    let file = try files.path(Benchmark.emojiCompositions.shipped!)
    detector = try SceneDetector(weights, on: engine)
    let all = try GenEvalPrompt.read(file).map { ($0.prompt, $0) }
    prompts = Dictionary(uniqueKeysWithValues: all)
    content = "\(try WeightFiles.contentHash(weights)) \(try ContentHash.ofFile(file))"
  }

  /// Checks that prompts are of the benchmark.
  ///
  /// - Parameter path: the file that they are from.
  /// - Throws: `BenchmarkError.otherFile`, which names the first that is not.
  public func check(_ prompts: [String], path: String) throws(BenchmarkError) {
    guard let other = prompts.first(where: { self.prompts[$0] == nil }) else { return }
    throw .otherFile(
      path: path, benchmark: Benchmark.emojiCompositions.title,
      reason: "\"\(other)\" is not one of its prompts")
  }

  /// Judges a picture of a prompt of the benchmark.
  ///
  /// - Throws: the plugin's errors.
  public func result(of picture: RGBImage, _ prompt: String) throws -> GenEvalResult {
    guard let prompt = prompts[prompt] else {
      preconditionFailure("prompts are checked")
    }
    return rule.judge(prompt, try detector.detections(in: picture)) { _, objects in
      // Prompts name colors of classes that have them alone.
      objects.map { $0.color! }
    }
  }
}
