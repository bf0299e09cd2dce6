import Files
import Foundation

/// The samples of tar files in the convention of WebDataset.
struct TarRows: PictureRows {
  let path: String
  let content: String
  let problems: DataProblems
  private let files: [TarFile]
  private let samples: [Sample]
  private let columns: TextColumns

  /// Where the parts of a sample are.
  fileprivate struct Sample: Sendable {
    let file: Int
    let name: String
    var picture: Range<Int>?
    var text: Range<Int>?
    var label: Range<Int>?
    var json: Range<Int>?
    var references: [Int: Range<Int>] = [:]
  }

  /// The endings of tar files.
  static let endings = [".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.xz"]

  var count: Int { samples.count }

  /// Lists all files, and reads the captions.
  init(_ path: String, _ columns: TextColumns, _ references: Int) throws {
    self.path = path
    self.columns = columns
    let names = try ShardNames.of(path, endings: Self.endings)
    var files: [TarFile] = []
    var samples: [Sample] = []
    for (number, name) in names.enumerated() {
      files.append(try Self.list(name, number, into: &samples))
    }
    let hash = ContentHash()
    var problems = DataProblems()
    samples = try samples.filter { sample in
      let shown = Self.name(sample, files)
      do {
        guard let picture = sample.picture else {
          // Other data beside pictures, such as statistics of a shard.
          guard sample.text != nil || sample.label != nil else { return false }
          throw DatasetError.captionAlone(path: shown)
        }
        let others = try (0..<references).map { number in
          guard let place = sample.references[number + 1] else {
            throw DatasetError.missingBeside(
              path: shown, missing: "\(sample.name).ref\(number + 1).png")
          }
          return place
        }
        for text in try Self.texts(sample, files, columns) { hash.add(text) }
        for place in [picture] + others {
          try files[sample.file].content(place, name: shown).addExcerpt(to: hash)
        }
        return true
      } catch let error as DatasetError {
        problems.add(error)
        return false
      }
    }
    content = hash.text
    (self.files, self.samples, self.problems) = (files, samples, problems)
  }

  /// Appends the samples of a tar file.
  private static func list(
    _ path: String, _ number: Int, into samples: inout [Sample]
  ) throws -> TarFile {
    var current: Sample?
    let file = try TarFile(path) { entry in
      let folder = entry.name.lastIndex(of: "/").map { entry.name[...$0] } ?? ""
      let base = entry.name.dropFirst(folder.count)
      guard !base.hasPrefix("."), let dot = base.firstIndex(of: ".") else { return }
      let name = folder + base[..<dot]
      if current?.name != String(name) {
        if let current { samples.append(current) }
        current = Sample(file: number, name: String(name))
      }
      current?.add(base[base.index(after: dot)...].lowercased(), entry.place)
    }
    if let current { samples.append(current) }
    return file
  }

  private static func name(_ sample: Sample, _ files: [TarFile]) -> String {
    "\(files[sample.file].path), \(sample.name)"
  }

  /// The prompts of a sample.
  private static func texts(
    _ sample: Sample, _ files: [TarFile], _ columns: TextColumns
  ) throws -> [String] {
    let (file, shown) = (files[sample.file], name(sample, files))
    func lines(_ place: Range<Int>, _ ending: String) throws -> [String] {
      try file.content(place, name: "\(shown).\(ending)").withBytes {
        try PromptFile.lines(of: $0, path: "\(shown).\(ending)")
      }
    }
    if columns.text == TextColumns.classFile {
      guard let place = sample.label else {
        throw DatasetError.missingBeside(
          path: shown, missing: "\(sample.name).\(TextColumns.classFile)")
      }
      return try lines(place, TextColumns.classFile)
    }
    if let place = sample.text { return try lines(place, "txt") }
    guard let place = sample.json else {
      throw DatasetError.missingBeside(path: shown, missing: "\(sample.name).txt")
    }
    let texts = try? file.content(place, name: shown).withBytes { try JSONRow.texts($0[...]) }
    let prompts = texts.map(columns.prompts) ?? []
    guard !prompts.isEmpty else {
      throw DatasetError.inconsistent(
        path: "\(shown).json", reason: "it has no text under \(columns.textNames)")
    }
    return prompts
  }

  func name(_ row: Int) -> String { Self.name(samples[row], files) }

  func texts(_ row: Int) throws -> [String] { try Self.texts(samples[row], files, columns) }

  func file(_ row: Int, reference: Int?) throws -> PictureFile {
    let sample = samples[row]
    let place = reference.map { sample.references[$0 + 1]! } ?? sample.picture!
    return try files[sample.file].content(place, name: name(row))
  }
}

extension TarRows.Sample {
  /// Takes a file by what follows the first dot of its name.
  fileprivate mutating func add(_ ending: String, _ place: Range<Int>) {
    switch ending {
    case "txt", "text", "caption": text = place
    case "json": json = place
    case TextColumns.classFile: label = place
    case let ending where ImageFolder.endings.contains(ending): picture = place
    default:
      if let match = ending.wholeMatch(of: /ref(\d+)\.(.+)/), let number = Int(match.1),
        ImageFolder.endings.contains(String(match.2))
      {
        references[number] = place
      }
    }
  }
}
