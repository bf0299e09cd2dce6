import Weights

extension ModelConfig {
  /// What the network's parameters are called on disk.
  public var names: NameMap { NameMap() }

  /// What they were called in files of version 0.1: a stack's layers in one array, and the maps to
  /// queries, keys and values side by side.
  public var oldNames: NameMap {
    let attention = "blocks.*.attention"
    return NameMap(
      [
        .split(
          disk: "\(attention).qkv", ["to_q", "to_k", "to_v"].map { "\(attention).\($0)" }),
        .rename("\(attention).to_out.0", to: "\(attention).output"),
      ], keepsStacks: true)
  }

  /// Whether arrays have the names of files of version 0.1.
  public func isOldLayout(_ names: [String]) -> Bool {
    if case .dit = self { names.contains("blocks.attention.qkv.weight") } else { false }
  }
}
