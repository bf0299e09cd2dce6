import Foundation
import Tensors

/// A test case computed by the published code: settings, inputs with every random draw, and
/// outputs.
///
/// It is a folder with `config.json`, `inputs.safetensors` and `expected.safetensors`; cases of the scoring of
/// pictures have files of their own instead.
public struct GoldenCase: Sendable {
  /// The folder's name.
  public let name: String
  /// The kind of the case.
  public let kind: Kind
  let path: String
  let config: Config
  let inputs: Named<HostArray>
  let expected: Named<HostArray>

  /// The kinds of cases.
  public enum Kind: String, Decodable, Sendable, CaseIterable {
    /// The objective for large models.
    case full
    /// The objective for LoRA.
    case lora
    /// The objective for small networks.
    case tutorial
    /// One loss of any objective.
    case objective
    /// The any-step sampler.
    case sampler
    /// A transformer with published weights.
    case transformer
    /// An autoencoder with published weights.
    case autoencoder
    /// A text encoder with published weights.
    case textEncoder = "text_encoder"
    /// A transformer with files of LoRA.
    case loraInference = "lora_inference"
    /// One training step of a transformer.
    case trainingStep = "training_step"
    /// Several training steps of a transformer.
    case trainingSteps = "training_steps"
    /// One training step of LoRA of a transformer.
    case trainingStepLoRA = "training_step_lora"
    /// A tokenizer with published files.
    case tokenizer
    /// A whole pipeline.
    case pipeline
    /// The any-step sampler on a model's folder.
    case samplerOnModel = "sampler_on_model"
    /// A CLIP that compares pictures with texts.
    case clipJudge = "judge_clip"
    /// A Qwen2.5-VL that answers questions about pictures.
    case visionLanguageJudge = "judge_qwen2_5_vl"
    /// A Qwen3-VL that does.
    case qwen3VLJudge = "judge_qwen3_vl"
    /// A Mask2Former that finds things in pictures.
    case detectionJudge = "judge_mask2former"
    /// GenEval's verdicts on detections.
    case geneval = "eval_geneval"
    /// DPG-Bench's figures of answers.
    case dpg = "eval_dpg"
    /// GenEval 2's figures of first tokens.
    case geneval2 = "eval_geneval2"
    /// The text scores of LongText-Bench and OneIG-Bench of readings.
    case longText = "eval_longtext"
    /// Distances and coverage of sets of features.
    case metricFeatures = "metric_features"

    /// Whether the case is of the scoring of pictures, whose files are its own.
    var isOfEvaluation: Bool {
      switch self {
      case .geneval, .dpg, .geneval2, .longText, .metricFeatures: true
      default: false
      }
    }
  }

  /// The content of `config.json`.
  struct Config: Decodable, Sendable {
    let kind: String
    let model: Sizes?
    /// The published class of the case's network.
    let cls: String?
    let method: Method?
    let steps: Int?
    let learningRate: Double?
    let noiseFloors: NoiseFloors?

    enum CodingKeys: String, CodingKey {
      case kind, model, cls, method, steps
      case learningRate = "sgd_lr"
      case noiseFloors = "float32_vs_float64_maxabs"
    }
  }

  /// The sizes of the network.
  struct Sizes: Decodable, Sendable {
    let type: String?
    let dim: Int
    let cdim: Int
    let hidden: Int
    let lora_r: Int?
    let lora_alpha: Double?
  }

  /// Opens a case.
  ///
  /// - Returns: nil for a case of another kind.
  /// - Throws: `GoldenError` and the errors of files.
  public init?(folder path: String) throws {
    let json = path + "/config.json"
    guard let data = FileManager.default.contents(atPath: json) else {
      throw GoldenError.noCase(path: path)
    }
    struct Header: Decodable { let kind: String? }
    guard let header = try? JSONDecoder().decode(Header.self, from: data) else {
      throw GoldenError.wrongCase(path: json, reason: "it is not a JSON object")
    }
    guard let kind = header.kind.flatMap(Kind.init) else { return nil }
    do {
      config = try JSONDecoder().decode(Config.self, from: data)
    } catch {
      throw GoldenError.wrongCase(path: json, reason: "\(error)")
    }
    guard
      config.model != nil || kind.hasModelFolder || kind == .tokenizer || kind.isOfEvaluation
    else {
      throw GoldenError.wrongCase(path: json, reason: "it has no model")
    }
    name = URL(fileURLWithPath: path).lastPathComponent
    self.kind = kind
    self.path = path
    // What a case of scores has no arrays of is in other files.
    func arrays(_ file: String) throws -> Named<HostArray> {
      let place = "\(path)/\(file).safetensors"
      guard !kind.isOfEvaluation || FileManager.default.fileExists(atPath: place) else {
        return Named()
      }
      return try HostArray.read(place)
    }
    inputs = try arrays("inputs")
    expected = try arrays("expected")
  }

  /// Computes the case and compares every output that is implemented here.
  ///
  /// - Throws: `GoldenError.wrongCase` for unknown settings, and the plugin's errors.
  public func check(on client: Client) throws -> [Comparison] {
    switch kind {
    case .full, .lora: try checkMethod(on: client)
    case .tutorial: try checkTutorial(on: client)
    case .objective: try checkObjective(on: client)
    case .sampler: try checkSampler(on: client)
    case .transformer: try checkTransformer(on: client)
    case .autoencoder: try checkAutoencoder(on: client)
    case .textEncoder: try checkTextEncoder(on: client)
    case .tokenizer: try checkTokenizer()
    case .pipeline: try checkPipeline(on: client)
    case .samplerOnModel: try checkSamplerOnModel(on: client)
    case .loraInference: try checkLoRAFiles(on: client)
    case .clipJudge: try checkCLIPJudge(on: client)
    case .visionLanguageJudge, .qwen3VLJudge: try checkVisionLanguageJudge(on: client)
    case .detectionJudge: try checkDetectionJudge(on: client)
    case .trainingStep, .trainingSteps, .trainingStepLoRA: try checkTrainingSteps(on: client)
    case .geneval: try checkGenEval()
    case .dpg: try checkDPG()
    case .geneval2: try checkGenEval2()
    case .longText: try checkLongText()
    case .metricFeatures: try checkMetricFeatures(on: client)
    }
  }

  /// Reads further settings of the case's kind from its config.json.
  ///
  /// - Throws: `GoldenError.wrongCase` where they are missing or not of their types.
  func settings<Settings: Decodable>(_: Settings.Type = Settings.self) throws -> Settings {
    do {
      let data = try Data(contentsOf: URL(fileURLWithPath: path + "/config.json"))
      return try JSONDecoder().decode(Settings.self, from: data)
    } catch {
      throw GoldenError.wrongCase(path: path + "/config.json", reason: "\(error)")
    }
  }

  func fail(_ reason: String) -> GoldenError { .wrongCase(path: path, reason: reason) }
}

/// The comparison of an output with the published one.
public struct Comparison: Sendable {
  /// The output's published name.
  public let name: String
  /// The norm of the difference relative to the published norm.
  public let relative: Double
  /// The difference relative to the tolerance; above 1 it is too large.
  public let share: Double
  /// Where the first difference is, if the output says more than numbers.
  public private(set) var note: String?

  /// Makes a comparison of its numbers.
  init(name: String, relative: Double, share: Double) {
    (self.name, self.relative, self.share) = (name, relative, share)
  }

  /// Compares arrays: all elements within `absolute`, or the norm of the difference within
  /// `relative` times the expected norm.
  init(
    _ name: String, _ actual: HostArray, _ expected: HostArray, absolute: Double = 0,
    relative limit: Double
  ) {
    self.name = name
    guard actual.values.count == expected.values.count else {
      (relative, share) = (.infinity, .infinity)
      return
    }
    var (square, norm, greatest) = (0.0, 0.0, 0.0)
    for (a, b) in zip(actual.values, expected.values) {
      let difference = abs(Double(a) - Double(b))
      square += difference * difference
      norm += Double(b) * Double(b)
      greatest = difference.isNaN ? .infinity : max(greatest, difference)
    }
    let ratio = square == 0 ? 0 : (square / norm).squareRoot()
    relative = ratio.isNaN ? .infinity : ratio
    share = min(greatest == 0 ? 0 : greatest / absolute, relative / limit)
  }
}

extension Comparison {
  /// Compares rows that must be equal, such as the ids of texts.
  ///
  /// - Parameters:
  ///   - different: how many rows differ.
  ///   - count: how many rows there are.
  ///   - first: the first row that differs.
  init(_ name: String, different: Int, of count: Int, first: String?) {
    self.name = name
    relative = count == 0 ? 0 : Double(different) / Double(count)
    share = different == 0 ? 0 : .infinity
    note = first.map { "\(different) of \(count) differ, the first is \($0)" }
  }
}

/// What can be wrong with a case.
public enum GoldenError: Error, Equatable, CustomStringConvertible {
  /// A folder does not contain a case.
  case noCase(path: String)
  /// A case is invalid.
  case wrongCase(path: String, reason: String)

  /// What was found, what was expected and what to do.
  public var description: String {
    switch self {
    case .noCase(let path):
      "\(path) is not a case: it has no config.json. Name the folder of a case, or a folder of cases."
    case .wrongCase(let path, let reason): "\(path) cannot be checked: \(reason)."
    }
  }
}
