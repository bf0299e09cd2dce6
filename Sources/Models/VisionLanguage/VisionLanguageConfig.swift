import Layers
import Weights

/// The `config.json` of a language model that sees images.
public protocol VisionLanguageConfig: TextEncoderConfig {
  /// The `model_type` of their `config.json`.
  static var modelType: String { get }
  /// What is said to them as `system` where a conversation begins with another message; nil for nothing.
  static var systemMessage: String? { get }

  /// What networks of these sizes are called.
  var title: String { get }
  /// The kind of each layer's attention.
  var layers: [AttentionLayer] { get }
  /// The token that stands for a merged patch of an image.
  var imageToken: Int { get }
  /// Whether the map to logits is the embedding of the tokens.
  var isTied: Bool { get }
  /// The vision tower, nil where the file describes only the language model.
  var tower: (any VisionTowerConfig)? { get }

  /// Binds the language model.
  func model(_ scope: Scope) -> any VisionLanguageModel
}

extension VisionLanguageConfig {
  /// The name of the map to logits in a checkpoint with these arrays, for `LanguageModelHead`.
  public func headNames(in arrays: [String]) -> NameMap {
    let own = ["lm_head", "language_model.lm_head"].first { arrays.contains("\($0).weight") }
    let embedding = names(in: arrays).diskName(of: "embed_tokens")
    return NameMap([.rename("lm_head", to: isTied ? embedding : own ?? "lm_head")])
  }
}

extension NameMap {
  /// Whether an array of a network that sees images is not part of its decoder: the vision tower and the map
  /// to logits are not.
  static func isOutsideOfDecoder(_ array: String) -> Bool {
    isOfLanguageModel(array) || array.hasSuffix("lm_head.weight") || array.hasPrefix("visual.")
      || array.hasPrefix("model.visual.")
  }
}

/// The language models that see images, one line each.
public enum VisionLanguageModels {
  /// The types of their configs.
  public static let all: [any VisionLanguageConfig.Type] = [
    Qwen2_5VLConfig.self,
    Qwen3VLConfig.self,
  ]
}
