import Foundation

/// JSON with sorted keys, so that equal values have equal texts.
public enum JSONFile {
  /// A value as a line of text.
  public static func text(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }

  /// Writes a value to a file, atomically.
  ///
  /// - Throws: `FileError.unwritable`, and `otherKind` where the path holds something other than
  ///   JSON; an existing file is then kept.
  public static func write(_ value: some Encodable, to path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try StagedFile.write(try encoder.encode(value) + Data("\n".utf8), to: path, as: .json)
  }
}
