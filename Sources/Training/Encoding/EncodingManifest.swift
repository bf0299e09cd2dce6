import Files
import Foundation

/// What the entries in a folder of a cache depend on: the file `manifest.json` in it.
struct EncodingManifest: Codable, Equatable {
  /// The version of the shards and of what is computed.
  private(set) var format = current
  /// What is encoded: `pictures` or `texts`.
  let kind: String
  /// The values, mostly hashes of files, of what the entries depend on.
  let content: [String: String]
  /// Where the encoder was; the entries do not depend on it.
  let encoders: String

  /// The version that is written; that of other programs is not read.
  private static let current = 1
  private static let name = "manifest.json"

  init(kind: String, content: [String: String], encoders: String) {
    (self.kind, self.content, self.encoders) = (kind, content, encoders)
  }

  /// The name of the folder in a cache.
  var folder: String {
    let hash = ContentHash()
    hash.add("\(format)")
    for (name, value) in content.sorted(by: { $0.key < $1.key }) {
      hash.add(name)
      hash.add(value)
    }
    return "\(kind)-\(hash.text.prefix(16))"
  }

  /// Writes it to its folder, unless it is there.
  ///
  /// - Throws: `FileError.unwritable`.
  func write(in folder: String) throws {
    guard Self.read(folder) == nil else { return }
    // What is there is no manifest.
    unlink("\(folder)/\(Self.name)")
    try JSONFile.write(self, to: "\(folder)/\(Self.name)")
  }

  private static func read(_ folder: String) -> EncodingManifest? {
    FileManager.default.contents(atPath: "\(folder)/\(name)")
      .flatMap { try? JSONDecoder().decode(Self.self, from: $0) }
  }

  /// A sentence about what a cache holds of other encoders of this kind; nil where it holds nothing.
  func others(in cache: String) -> String? {
    let others = ((try? namesInFolder(cache)) ?? []).compactMap { name in
      name.hasPrefix("\(kind)-") && name != folder ? Self.read("\(cache)/\(name)") : nil
    }
    guard let nearest = others.min(by: { differences($0).count < differences($1).count }) else {
      return nil
    }
    let names = differences(nearest)
    let reason =
      names.isEmpty
      ? "another version of this program" : "another \(names.joined(separator: ", another "))"
    return "The cache \(cache) has encoded \(kind) that are not used, because they were made with "
      + "\(reason): \(nearest.folder)"
      + (others.count > 1 ? " and \(others.count - 1) more" : "") + "."
  }

  private func differences(_ other: EncodingManifest) -> [String] {
    Set(content.keys).union(other.content.keys).sorted()
      .filter { content[$0] != other.content[$0] }
  }
}
