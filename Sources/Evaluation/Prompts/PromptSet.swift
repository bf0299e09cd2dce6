import Datasets
import Files
import Foundation

/// Prompts in a file of JSON lines, each with a real picture of it and the split that it belongs to, as far
/// as they have one: `{"prompt": "a red fox", "picture": "fox.png", "split": "training"}`.
///
/// Paths of pictures are relative to the file's folder; other keys are ignored.
public struct PromptSet: Sendable {
  /// One line.
  public struct Line: Sendable, Hashable {
    /// The prompt.
    public let prompt: String
    /// The path of the real picture.
    public let picture: String?
    /// The split; `unnamed` for a line without one.
    public let split: String
    /// The number of the line in the file, from 1.
    public let number: Int
  }

  /// The file.
  public let path: String
  /// The lines, without empty ones.
  public private(set) var lines: [Line]
  /// The hash of the file.
  public let hash: String

  /// The split of lines that name none.
  public static let unnamed = "all"

  /// The keys of a line.
  private struct Keys: Decodable {
    let prompt: String
    let picture: String?
    let split: String?
  }

  /// Reads a file.
  ///
  /// - Throws: `FileError.unreadable`; `EvaluationError.damagedLine` for the first line that is not as it
  ///   should be, and `noPrompts` for a file without any.
  public init(_ path: String) throws {
    let file = try MappedFile(path)
    let bytes = Data(file.bytes)
    self.path = path
    hash = try ContentHash.ofFile(path)
    let folder = (path as NSString).deletingLastPathComponent
    var lines: [Line] = []
    for (index, text) in bytes.split(
      separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false
    ).enumerated() {
      guard text.contains(where: { $0 > UInt8(ascii: " ") }) else { continue }
      let fail = { (reason: String) in
        EvaluationError.damagedLine(path: path, line: index + 1, reason: reason)
      }
      let keys: Keys
      do {
        keys = try JSONDecoder().decode(Keys.self, from: Data(text))
      } catch {
        throw fail(Self.reason(error))
      }
      guard keys.prompt.contains(where: { !$0.isWhitespace }) else {
        throw fail("its `prompt` is empty")
      }
      let picture = try keys.picture.map { name in
        let place = name.hasPrefix("/") || folder.isEmpty ? name : "\(folder)/\(name)"
        guard FileManager.default.fileExists(atPath: place) else {
          throw fail("there is no picture \(place)")
        }
        return place
      }
      lines.append(
        Line(
          prompt: keys.prompt, picture: picture, split: keys.split ?? Self.unnamed,
          number: index + 1))
    }
    guard !lines.isEmpty else { throw EvaluationError.noPrompts(path: path) }
    self.lines = lines
  }

  private static func reason(_ error: any Error) -> String {
    switch error {
    case DecodingError.keyNotFound(let key, _): "it has no `\(key.stringValue)`"
    case DecodingError.typeMismatch(_, let context) where !context.codingPath.isEmpty,
      DecodingError.valueNotFound(_, let context) where !context.codingPath.isEmpty:
      "its `\(context.codingPath[0].stringValue)` is not a text"
    default: "it is not a JSON object"
    }
  }

  /// The same prompts as one split, `unnamed`.
  public var joined: PromptSet {
    var set = self
    set.lines = lines.map { line in
      Line(prompt: line.prompt, picture: line.picture, split: Self.unnamed, number: line.number)
    }
    return set
  }

  /// The splits, in the order of the file.
  public var splits: [String] {
    var seen = Set<String>()
    return lines.map(\.split).filter { seen.insert($0).inserted }
  }

  /// The numbers of lines to measure, by split.
  ///
  /// - Parameters:
  ///   - splits: the splits in their order; empty for all.
  ///   - most: the most lines of a split, which are spread evenly over it; nil for all.
  ///   - seed: the seed of their choice.
  /// - Throws: `EvaluationError.unknownSplit`.
  public func chosen(
    splits wanted: [String] = [], most: Int? = nil, seed: UInt64 = 0
  ) throws(EvaluationError) -> [(split: String, lines: [Int])] {
    let known = splits
    if let unknown = wanted.first(where: { !known.contains($0) }) {
      throw .unknownSplit(path: path, found: unknown, known: known)
    }
    return (wanted.isEmpty ? known : wanted).map { split in
      let all = lines.indices.filter { lines[$0].split == split }
      guard let most, most < all.count else { return (split, all) }
      var random = SplitMix64(seed)
      // One of each of as many stretches of about the same length.
      return (
        split,
        (0..<most).map { number in
          let stretch = number * all.count / most..<(number + 1) * all.count / most
          return all[Int.random(in: stretch, using: &random)]
        }
      )
    }
  }
}
