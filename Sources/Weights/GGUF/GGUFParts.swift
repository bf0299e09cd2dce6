import Foundation

/// The parts of a GGUF file that was split: `NAME-00001-of-00003.gguf` and so on, each with arrays of its
/// own.
enum GGUFParts {
  /// A file, or all parts of the file that it is a part of.
  ///
  /// - Throws: `WeightsError.missingFiles`, and the errors of opening them.
  static func files(_ first: ArrayFile) throws -> [ArrayFile] {
    guard case .gguf = first, let text = first.metadata["split.count"], let count = Int(text),
      (2...99_999).contains(count)
    else { return [first] }
    let name = (first.path as NSString).lastPathComponent
    let folder = (first.path as NSString).deletingLastPathComponent
    guard let match = name.firstMatch(of: /^(.*)-\d{5}-of-(\d{5})\.gguf$/), Int(match.2) == count
    else {
      throw WeightsError.damaged(
        path: first.path,
        reason: "it is one of \(count) parts, whose names are expected to end in "
          + "-00001-of-\(padded(count)).gguf")
    }
    let names = (1...count).map { "\(match.1)-\(padded($0))-of-\(match.2).gguf" }
    let place = { (name: String) in folder.isEmpty ? name : "\(folder)/\(name)" }
    let missing = names.filter { !FileManager.default.fileExists(atPath: place($0)) }
    guard missing.isEmpty else {
      throw WeightsError.missingFiles(path: first.path, files: missing)
    }
    return try names.map { try $0 == name ? first : ArrayFile(path: place($0)) }
  }

  /// Whether names are those of the parts of one file.
  static func areParts(_ names: [String]) -> Bool {
    let stems = names.map {
      $0.firstMatch(of: /^(.*)-\d{5}-of-(\d{5})\.gguf$/).map { "\($0.1) \($0.2)" }
    }
    return Set(stems).count == 1 && !stems.contains(nil)
  }

  private static func padded(_ number: Int) -> String { String(format: "%05d", number) }
}
