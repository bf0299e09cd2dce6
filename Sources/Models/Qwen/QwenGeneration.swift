/// What distinguishes the generations of Qwen's language models.
public protocol QwenGeneration: Sendable {
  /// The `model_type`s of the `config.json`s that describe one: its own, and those of networks around it.
  static var types: [String] { get }
  /// The features of a head where a config does not say; nil for those of the network over the heads.
  static var headWidth: Int? { get }
  /// Whether the maps to queries, keys and values have biases; nil where a config says.
  static var hasBiases: Bool? { get }
  /// Whether the map of the attention's output has a bias where the others have.
  static var hasOutputBias: Bool { get }
  /// Whether each head's queries and keys pass a norm.
  static var normalizesHeads: Bool { get }
  /// The kinds of rotary frequencies that are those of one base.
  static var rotaryKinds: [String] { get }
}

extension QwenGeneration {
  /// Whether it is part of larger networks, in whose files it has a place of its own.
  static var isNested: Bool { types.count > 1 }
}

/// Qwen2 and Qwen2.5.
public enum Qwen2Generation: QwenGeneration {
  /// InternVL3's is one, in its own form and in that of transformers.
  public static let types = ["qwen2", "internvl_chat", "internvl"]
  /// The features of a head are not told.
  public static let headWidth: Int? = nil
  /// They always have.
  public static let hasBiases: Bool? = true
  /// It has none.
  public static let hasOutputBias = false
  /// They pass none.
  public static let normalizesHeads = false
  /// Dynamic ones, which InternVL3's configs name, change beyond `max_position_embeddings` alone: 32,768
  /// tokens, more than any prompt has.
  public static let rotaryKinds = ["default", "dynamic"]
}

/// Qwen3.
public enum Qwen3Generation: QwenGeneration {
  /// It stands alone.
  public static let types = ["qwen3"]
  /// Where a config does not say.
  public static let headWidth: Int? = 128
  /// A config says.
  public static let hasBiases: Bool? = nil
  /// As the others.
  public static let hasOutputBias = true
  /// They do.
  public static let normalizesHeads = true
  /// Those of one base alone.
  public static let rotaryKinds = ["default"]
}
