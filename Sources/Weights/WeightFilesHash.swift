import Files

extension WeightFiles {
  /// The hash of the content of all files, one after the other.
  ///
  /// - Throws: `FileError.unreadable`, and the errors of opening them.
  package static func contentHash(_ path: String) throws -> String {
    let hash = ContentHash()
    for path in try WeightFiles(path: path).paths { hash.add(try ContentHash.ofFile(path)) }
    return hash.text
  }
}
