import Files

extension KeyedDecodingContainer {
  /// The path of a file or folder that must be there, with the home folder for its `~`.
  ///
  /// - Throws: `InvalidRecipeValue` for an empty text and for one with a NUL character, which would
  ///   end the path early.
  public func path(_ key: Key) throws -> String {
    try checked(try decode(String.self, forKey: key), key)
  }

  /// The path of a file or folder, or the default where the key is absent; null is no path.
  ///
  /// - Throws: `InvalidRecipeValue` for an empty text and for one with a NUL character.
  public func path(_ key: Key, default standard: String?) throws -> String? {
    guard contains(key) else { return standard }
    return try decode(String?.self, forKey: key).map { try checked($0, key) }
  }

  private func checked(_ path: String, _ key: Key) throws -> String {
    let reason: String
    if path.isEmpty {
      reason = "it must be the path of a file or folder, as in out/run"
    } else if path.utf8.contains(0) {
      reason = "a path has no NUL character: take it out"
    } else {
      return expandedPath(path)
    }
    throw InvalidRecipeValue(
      path: codingPath + [key], found: yamlQuoted(path), reason: reason, isAbsolute: true)
  }
}
