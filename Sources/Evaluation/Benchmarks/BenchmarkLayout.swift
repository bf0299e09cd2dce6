import Files
import Foundation

/// Where the pictures of a benchmark lie in a folder, as its own scripts read them.
///
/// - GenEval and emoji-compositions: `00000/samples/0000.png`, with the prompt in `00000/metadata.jsonl`.
/// - DPG-Bench: `ITEM.png`, a grid of two columns.
/// - GenEval 2: any names, in a JSON object of prompts and paths; `00000.png` from here.
/// - LongText-Bench: `0000_1.png`.
/// - OneIG-Bench: `anime/MODEL/000.png`, a grid of two columns.
public struct BenchmarkLayout: Sendable {
  /// A file with one or several pictures of a prompt.
  public struct File: Hashable, Sendable {
    /// The path within the folder.
    public let path: String
    /// The number of the prompt.
    public let item: Int
    /// The numbers of the pictures in it.
    public let samples: Range<Int>
  }

  /// What is in a folder.
  public struct Found: Sendable {
    /// The files of the prompts' pictures, in the order of the prompts.
    public let files: [File]
    /// What is missing.
    public let missing: [String]
    /// Pictures that belong to no prompt.
    public let extra: [String]
  }

  /// The prompts.
  public let prompts: BenchmarkSet
  /// The number of pictures of each prompt.
  public let count: Int
  /// The name of the model, a folder of OneIG-Bench.
  public let model: String
  /// The prompts by their names.
  private let places: [String: Int]

  /// Describes a layout.
  public init(_ set: BenchmarkSet, count: Int, model: String) {
    (self.prompts, self.count, self.model) = (set, count, model)
    places = Dictionary(set.items.enumerated().map { ($1.id, $0) }) { first, _ in first }
  }

  /// The files that generation makes.
  public var files: [File] {
    prompts.items.indices.flatMap { item -> [File] in
      let id = prompts.items[item].id
      func file(_ path: String, _ sample: Int) -> File {
        File(path: path, item: item, samples: sample..<sample + 1)
      }
      switch prompts.benchmark {
      case .geneval, .emojiCompositions:
        return (0..<count).map {
          file("\(id)/samples/\(BenchmarkSet.padded($0, to: 4)).png", $0)
        }
      case .geneval2: return (0..<count).map { file(Self.numbered(id, $0), $0) }
      case .longText: return (0..<count).map { file("\(id)_\($0 + 1).png", $0) }
      case .dpg: return [File(path: "\(id).png", item: item, samples: 0..<count)]
      case .oneIG:
        let parts = id.split(separator: "/")
        return [File(path: "\(parts[0])/\(model)/\(parts[1]).png", item: item, samples: 0..<count)]
      }
    }
  }

  /// A picture of GenEval 2.
  private static func numbered(_ id: String, _ sample: Int) -> String {
    sample == 0 ? "\(id).png" : "\(id)_\(sample).png"
  }

  /// The columns and rows of a grid of some pictures.
  static func grid(_ count: Int) -> (columns: Int, rows: Int) {
    let columns = count == 1 ? 1 : 2
    return (columns, (count + columns - 1) / columns)
  }

  /// Finds the pictures in a folder, also those that other programs made.
  ///
  /// - Throws: `FileError.unreadable`, `BenchmarkError`.
  public func found(in folder: String) throws -> Found {
    let names = try Self.pictures(in: folder)
    var files: [File] = []
    var extra: [String] = []
    var samples: [Int: Int] = [:]
    let named = try prompts.benchmark == .geneval2 ? named(in: folder, names) : nil
    for name in names {
      let item = if let named { named[name] } else { try self.item(of: name, in: folder) }
      guard let item else {
        extra.append(name)
        continue
      }
      let sample = samples[item, default: 0]
      let size = prompts.benchmark.usesGrids ? count : 1
      samples[item] = sample + size
      files.append(File(path: name, item: item, samples: sample..<sample + size))
    }
    let missing = prompts.items.indices.flatMap { item -> [String] in
      let (there, id) = (samples[item, default: 0], prompts.items[item].id)
      guard there < count else { return [] }
      return there == 0 ? [id] : (there + 1...count).map { "\(id), picture \($0)" }
    }
    let many = files.filter { $0.samples.upperBound > count }.map(\.path)
    return Found(
      files: files.filter { $0.samples.upperBound <= count }.sorted {
        ($0.item, $0.samples.lowerBound) < ($1.item, $1.samples.lowerBound)
      }, missing: missing, extra: extra + many)
  }

  /// The prompt of a picture, nil for none.
  private func item(of name: String, in folder: String) throws -> Int? {
    let parts = name.split(separator: "/").map(String.init)
    let stem = String(parts.last!.prefix { $0 != "." })
    switch prompts.benchmark {
    case .geneval, .emojiCompositions:
      guard parts.count == 3, parts[1] == "samples", name.hasSuffix(".png"), Self.isNumber(stem),
        Self.isNumber(parts[0]), let number = Int(parts[0]), prompts.items.indices.contains(number)
      else { return nil }
      try check(metadata: "\(folder)/\(parts[0])/metadata.jsonl", number)
      return number
    case .dpg: return parts.count == 1 ? places[stem] : nil
    case .longText:
      guard parts.count == 1, let number = Int(stem.prefix { $0 != "_" }) else { return nil }
      return places[BenchmarkSet.padded(number, to: 4)]
    case .oneIG:
      guard parts.count == 3, parts[1] == model else { return nil }
      return places["\(parts[0])/\(stem)"]
    case .geneval2: return nil
    }
  }

  private static func isNumber(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { 0x30...0x39 ~= $0 }
  }

  /// Checks that the prompt beside pictures is that of the set.
  private func check(metadata path: String, _ number: Int) throws {
    guard case .geneval(let expected) = prompts.content,
      FileManager.default.fileExists(atPath: path)
    else { return }
    guard let own = try GenEvalPrompt.read(path).first, own != expected[number] else { return }
    throw BenchmarkError.otherFile(
      path: prompts.path, benchmark: prompts.benchmark.title,
      reason: "its line \(number + 1) is \"\(expected[number].prompt)\", and \(path) has "
        + "\"\(own.prompt)\"")
  }

  /// The prompts of GenEval 2's pictures by their paths, from the JSON object beside them.
  private func named(in folder: String, _ names: [String]) throws -> [String: Int] {
    let path = "\(folder)/\(Self.pathsFile)"
    var items: [String: Int] = [:]
    for (item, own) in prompts.items.enumerated() {
      for sample in 0..<count { items[Self.numbered(own.id, sample)] = item }
    }
    guard FileManager.default.fileExists(atPath: path) else { return items }
    let content = try MappedFile.data(path)
    guard let paths = try? JSONDecoder().decode([String: String].self, from: content) else {
      throw BenchmarkError.otherFile(
        path: path, benchmark: prompts.benchmark.title,
        reason: "it is not a JSON object of prompts and paths of pictures")
    }
    for (item, own) in prompts.items.enumerated() {
      guard let place = paths[own.prompt] else { continue }
      let name = names.first { place == $0 || place.hasSuffix("/\($0)") }
      if let name { items[name] = item }
    }
    return items
  }

  /// The JSON object of GenEval 2's prompts and the paths of their pictures.
  public static let pathsFile = "image_paths.json"

  /// The paths of all pictures in a folder and the folders in it, sorted.
  static func pictures(in folder: String) throws -> [String] {
    guard let all = FileManager.default.enumerator(atPath: folder) else {
      throw FileError.unreadable(path: folder, reason: "it is not a folder")
    }
    let kinds: Set = ["png", "jpg", "jpeg", "webp"]
    return all.compactMap { $0 as? String }.filter { name in
      kinds.contains((name as NSString).pathExtension.lowercased())
        && (name as NSString).lastPathComponent != "grid.png"
    }.sorted()
  }
}
