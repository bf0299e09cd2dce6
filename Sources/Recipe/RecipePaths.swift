import Files

extension KeyedDecodingContainer {
  /// The path of a file or folder, with the home folder for its `~`.
  ///
  /// - Throws: `InvalidRecipeValue` for an empty text and for one with a NUL character, which would
  ///   end the path early.
  func path(_ key: Key) throws -> String {
    let path = try decode(String.self, forKey: key)
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
