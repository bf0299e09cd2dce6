import Files
import Foundation

/// What a folder of a benchmark's pictures is of, as its `benchmark.json` has it.
///
/// The folder holds the file of prompts, the folder `pictures` (or names another one), what judges found,
/// and the scores.
public struct BenchmarkRun: Codable, Hashable, Sendable {
  /// The benchmark.
  public var benchmark: Benchmark
  /// The name in reports.
  public var name: String
  /// The file of prompts within the folder.
  public var prompts: String
  /// The folder of the pictures, relative to the run's.
  public var pictures: String
  /// The number of pictures of each prompt.
  public var picturesPerPrompt: Int
  /// The model; nil for pictures made elsewhere, as all that follows.
  public var model: String?
  /// The hashes of the model's weights by component.
  public var hashes: [String: String]?
  /// The number of steps.
  public var steps: Int?
  /// The scale of guidance, 0 for none.
  public var guidance: Double?
  /// The first seed.
  public var seed: UInt64?
  /// The width and height of a picture.
  public var size: [Int]?

  /// The name of the file.
  public static let file = "benchmark.json"

  /// Describes pictures.
  public init(
    _ benchmark: Benchmark, name: String, prompts: String, pictures: String = "pictures",
    picturesPerPrompt: Int
  ) {
    (self.benchmark, self.name, self.prompts) = (benchmark, name, prompts)
    (self.pictures, self.picturesPerPrompt) = (pictures, picturesPerPrompt)
  }

  /// Reads the record in a folder.
  ///
  /// - Throws: `FileError.unreadable`, `BenchmarkError.damagedRun`.
  public init(in folder: String) throws {
    let path = "\(folder)/\(Self.file)"
    let content = try MappedFile.data(path)
    do {
      self = try JSONDecoder().decode(BenchmarkRun.self, from: content)
    } catch {
      throw BenchmarkError.damagedRun(path: path, reason: "it is not JSON of this version")
    }
    guard (1...1000).contains(picturesPerPrompt), size.map({ $0.count == 2 }) ?? true else {
      throw BenchmarkError.damagedRun(path: path, reason: "its numbers are out of range")
    }
  }

  /// Writes the record.
  ///
  /// - Throws: `FileError.unwritable`, `otherKind`.
  public func write(to folder: String) throws {
    try JSONFile.write(self, to: "\(folder)/\(Self.file)")
  }

  /// The folder of the pictures of the run in a folder.
  public func pictures(in folder: String) -> String {
    pictures.hasPrefix("/") ? pictures : "\(folder)/\(pictures)"
  }

  /// The folders of runs within a folder, or the folder itself, sorted.
  public static func folders(in folder: String) -> [String] {
    let manager = FileManager.default
    if manager.fileExists(atPath: "\(folder)/\(file)") { return [folder] }
    let names = (try? manager.contentsOfDirectory(atPath: folder)) ?? []
    // A run is in OUT, in OUT/BENCHMARK or in OUT/BENCHMARK/NAME.
    let inner = names.map { "\(folder)/\($0)" }
    let deepest = inner.flatMap { folder in
      ((try? manager.contentsOfDirectory(atPath: folder)) ?? []).map { "\(folder)/\($0)" }
    }
    return (inner + deepest).filter { manager.fileExists(atPath: "\($0)/\(file)") }.sorted()
  }
}
