import Models
import Weights

extension ModelConfig {
  /// The names of the parameters in a file with arrays of these names: the current ones, or those
  /// of version 0.1, which stored a stack's layers in one array, the maps to queries, keys and
  /// values concatenated, and the class embedding under another name.
  func names(among found: [String]) -> NameMap {
    guard Self.areOld(found) else { return names }
    let renamed = NameMap.Rule.rename("class_embedding", to: Self.oldEmbedding)
    guard found.contains(Self.oldAttention) else { return NameMap([renamed]) }
    let attention = "blocks.*.attention"
    return NameMap(
      [
        .split(
          disk: "\(attention).qkv", ["to_q", "to_k", "to_v"].map { "\(attention).\($0)" }),
        .rename("\(attention).to_out.0", to: "\(attention).output"),
        renamed,
      ], keepsStacks: true)
  }

  /// Whether arrays have the names of version 0.1.
  package static func areOld(_ names: [String]) -> Bool {
    names.contains("\(oldEmbedding).weight") || names.contains(oldAttention)
  }

  private static let oldEmbedding = "label"
  private static let oldAttention = "blocks.attention.qkv.weight"
}
