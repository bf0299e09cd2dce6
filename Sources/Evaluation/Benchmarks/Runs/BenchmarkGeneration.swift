import Files
import Foundation
import Pictures
import Pipelines

/// Makes the pictures of a benchmark in its own layout; pictures that are there and would be made the same
/// are kept.
///
/// Each file holds the record of its pictures, see `PictureRecord`. The seed of a picture is the first seed
/// + 1000 · the number of the prompt + the number of the picture, whatever else is made and in whatever
/// batches.
public struct BenchmarkGeneration: Sendable {
  private let layout: BenchmarkLayout
  private let folder: String
  private let request: ImageRequest
  private let record: PictureRecord

  /// The key of a grid's records in PNG files, in the order of its pictures.
  public static let gridKey = "twinflow.grid"

  /// Prepares pictures.
  ///
  /// - Parameters:
  ///   - folder: the folder of the pictures.
  ///   - request: the settings of all pictures, with the first seed.
  ///   - record: the record of one of them.
  public init(
    _ layout: BenchmarkLayout, in folder: String, like request: ImageRequest, record: PictureRecord
  ) {
    (self.layout, self.folder) = (layout, folder)
    (self.request, self.record) = (request, record)
  }

  /// The seed of a picture.
  func seed(_ item: Int, _ sample: Int) -> UInt64 {
    request.seed &+ UInt64(item) &* UInt64(PromptEvaluation.mostSamples) &+ UInt64(sample)
  }

  /// The records of a file's pictures.
  private func records(_ file: BenchmarkLayout.File) -> [PictureRecord] {
    file.samples.map { sample in
      var own = record
      (own.prompt, own.seed) = (layout.prompts.items[file.item].prompt, seed(file.item, sample))
      return own
    }
  }

  /// The files that are not there, or that something else made than would make them now.
  ///
  /// - Parameter progress: called with the number of files looked at.
  /// - Throws: `BenchmarkError.foreignPicture` for a picture of another program.
  public func pending(_ progress: (Int) -> Void = { _ in }) throws -> [BenchmarkLayout.File] {
    try layout.files.enumerated().filter { number, file in
      defer { progress(number + 1) }
      return try !isCurrent(file)
    }.map(\.element)
  }

  private func isCurrent(_ file: BenchmarkLayout.File) throws -> Bool {
    let path = "\(folder)/\(file.path)"
    guard FileManager.default.fileExists(atPath: path) else { return false }
    // A truncated file is made again.
    guard let texts = try? PNGText.read(path) else { return false }
    let isGrid = file.samples.count > 1
    guard
      let text = texts.last(where: { $0.key == (isGrid ? Self.gridKey : PictureRecord.key) })?.text
    else { throw BenchmarkError.foreignPicture(path: path) }
    let found: [PictureRecord]? =
      isGrid
      ? try? JSONDecoder().decode([PictureRecord].self, from: Data(text.utf8))
      : (try? PictureRecord(text, path: path)).map { [$0] }
    let wanted = records(file)
    return found.map { found in
      found.count == wanted.count && zip(found, wanted).allSatisfy { $0.makesSame(as: $1) }
    } ?? false
  }

  /// Removes what judges found in files that are made again from the file in the run's folder.
  ///
  /// - Returns: the number of lines that were removed.
  /// - Throws: the errors of reading and writing.
  public func forget(_ files: [BenchmarkLayout.File], in folder: String) throws -> Int {
    try BenchmarkFindings.remove(
      files.map(\.path), from: "\(folder)/\(layout.prompts.benchmark.findings.file)")
  }

  /// The number of pictures in files.
  public static func count(_ files: [BenchmarkLayout.File]) -> Int {
    files.reduce(0) { $0 + $1.samples.count }
  }

  /// The prompts of files.
  public func prompts(_ files: [BenchmarkLayout.File]) -> [String] {
    files.map { layout.prompts.items[$0.item].prompt }
  }

  /// Makes files, at least one, each as soon as its pictures are there.
  ///
  /// - Parameters:
  ///   - generation: has encoded the prompts of all of them.
  ///   - batch: the number of pictures that are made together; nil for as many as seems fit.
  ///   - progress: called with the number of pictures made; an error that it throws cancels the run.
  /// - Throws: the errors of `PromptGeneration`, and of writing.
  @discardableResult
  public func make(
    _ files: [BenchmarkLayout.File], by generation: PromptGeneration, batch: Int? = nil,
    progress: ((Int) throws -> Void)? = nil
  ) throws -> PromptGeneration.Run {
    let places = files.indices.flatMap { file in files[file].samples.map { (file, $0) } }
    let items = places.map { file, sample in
      let item = files[file].item
      return PromptGeneration.Item(
        prompt: layout.prompts.items[item].prompt, seed: seed(item, sample))
    }
    var waiting: [RGBImage] = []
    return try generation(items, like: request, batch: batch, progress: progress) { range, made in
      for (number, picture) in zip(range, made) {
        waiting.append(picture)
        let file = files[places[number].0]
        guard waiting.count == file.samples.count else { continue }
        try write(waiting, to: file)
        waiting = []
      }
    }
  }

  private func write(_ pictures: [RGBImage], to file: BenchmarkLayout.File) throws {
    let path = "\(folder)/\(file.path)"
    try FileManager.default.createDirectory(
      atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    let records = records(file)
    guard pictures.count > 1 else {
      return try pictures[0].picture.write(to: path, texts: records[0].texts())
    }
    let grid = RGBImage(grid: pictures)
    let texts = [
      (key: "Software", text: "twinflow \(record.version)"),
      (key: Self.gridKey, text: try JSONFile.text(records)),
    ]
    try grid.picture.write(to: path, texts: texts)
  }

  /// Writes what a benchmark's scripts read beside the pictures.
  ///
  /// - Throws: the errors of writing.
  public func writeCompanions() throws {
    let manager = FileManager.default
    try manager.createDirectory(atPath: folder, withIntermediateDirectories: true)
    switch layout.prompts.content {
    case .geneval(let prompts):
      for (item, prompt) in zip(layout.prompts.items, prompts) {
        let own = "\(folder)/\(item.id)"
        try manager.createDirectory(atPath: "\(own)/samples", withIntermediateDirectories: true)
        let path = "\(own)/metadata.jsonl"
        let content = Data(prompt.metadata.utf8)
        guard manager.contents(atPath: path) != content else { continue }
        try StagedFile.write(content, to: path, as: .jsonLines)
      }
    case .geneval2:
      let place = URL(fileURLWithPath: folder).path
      let paths = layout.files.filter { $0.samples.lowerBound == 0 }.map {
        (layout.prompts.items[$0.item].prompt, "\(place)/\($0.path)")
      }
      try JSONFile.write(
        Dictionary(paths) { first, _ in first }, to: "\(folder)/\(BenchmarkLayout.pathsFile)")
    case .dpg, .longText, .oneIG: break
    }
  }
}
