import Files
import Foundation
import Pictures

/// Scores the pictures of a run by what judges found in them.
public struct BenchmarkScoring {
  /// The run.
  public let run: BenchmarkRun
  /// The prompts.
  public let set: BenchmarkSet
  /// The pictures that are scored.
  public let files: [BenchmarkLayout.File]
  /// What is missing of the layout, and what belongs to no prompt: both empty unless partial.
  public let (missing, extra): ([String], [String])
  let folder: String
  let pictures: String
  let isPartial: Bool

  /// Finds the pictures of a run, and checks them: that none is missing or too many, that they have the
  /// run's size, and are whole.
  ///
  /// - Parameters:
  ///   - folder: the run's folder.
  ///   - isPartial: whether pictures that are there are scored where others are missing.
  /// - Throws: `BenchmarkError`, `FileError`, `DatasetError`.
  public init(_ run: BenchmarkRun, in folder: String, isPartial: Bool = false) throws {
    (self.run, self.folder, self.isPartial) = (run, folder, isPartial)
    set = try BenchmarkSet(run.benchmark, "\(folder)/\(run.prompts)")
    pictures = run.pictures(in: folder)
    let layout = BenchmarkLayout(set, count: run.picturesPerPrompt, model: run.name)
    let found = try layout.found(in: pictures)
    guard isPartial || (found.missing.isEmpty && found.extra.isEmpty), !found.files.isEmpty else {
      throw BenchmarkError.otherPictures(
        folder: pictures, missing: found.missing, extra: found.extra)
    }
    (files, missing, extra) = (found.files, found.missing, found.extra)
    for file in files { try check(file) }
  }

  /// Checks that a file is whole, by its end, and of the right size.
  private func check(_ file: BenchmarkLayout.File) throws {
    let path = "\(pictures)/\(file.path)"
    func fail(_ reason: String) -> BenchmarkError { .unusablePicture(path: path, reason: reason) }
    let mapped = try MappedFile(path)
    let size = try withExtendedLifetime(mapped) {
      guard let size = try? PictureSize(mapped.bytes, path: path) else {
        throw fail("it is not a picture, or truncated")
      }
      let isWhole = mapped.bytes.suffix(8).prefix(4).elementsEqual("IEND".utf8)
      guard isWhole || !FileKind.png.matches(mapped.bytes) else {
        throw fail("it is truncated: a PNG file ends with IEND")
      }
      return size
    }
    let (columns, rows) = BenchmarkLayout.grid(file.samples.count)
    if let own = run.size {
      guard size.width == own[0] * columns, size.height == own[1] * rows else {
        throw fail(
          "it has \(size.width) × \(size.height) pixels, and \(own[0] * columns) × \(own[1] * rows) are "
            + "expected")
      }
    }
    guard size.width % columns == 0, size.height % rows == 0 else {
      throw fail(
        "it has \(size.width) × \(size.height) pixels, which are not \(columns) × \(rows) pictures")
    }
  }

  /// The file of what judges found that belongs to the run.
  public var findingsPath: String { "\(folder)/\(set.benchmark.findings.file)" }

  /// Scores the pictures.
  ///
  /// - Parameters:
  ///   - given: the file of what judges found; nil for that of the run.
  ///   - judge: looks at the pictures that the run's file does not have, nil for none.
  ///   - progress: called with the number of pictures that the judge has looked at.
  /// - Throws: `BenchmarkError`, `FileError`, the errors of the judge.
  public func scores(
    findings given: String? = nil, judge: BenchmarkJudge? = nil,
    progress: (Int) throws -> Void = { _ in }
  ) throws -> BenchmarkScores {
    let path = given ?? findingsPath
    if let judge { try look(judge, progress) }
    guard FileManager.default.fileExists(atPath: path) else {
      guard given == nil else {
        throw FileError.unreadable(path: path, reason: "there is no such file")
      }
      throw BenchmarkError.notJudged(
        folder: folder, file: path, content: "the \(set.benchmark.findings.name)")
    }
    if case .geneval2(let prompts) = set.content, let lists = try scoreLists(path, prompts) {
      return try geneval2(prompts, lists)
    }
    let findings = try BenchmarkFindings(path, files: files.map(\.path))
    guard isPartial || findings.unknown.isEmpty else {
      throw BenchmarkError.unknownPictures(path: path, names: findings.unknown)
    }
    let needed = files.filter { needsFindings($0) }
    let lacking = needed.filter { findings.lines[$0.path] == nil }
    guard lacking.isEmpty || (isPartial && lacking.count < needed.count) else {
      throw BenchmarkError.noFindings(
        path: path, kind: set.benchmark.findings.name, missing: lacking.map(\.path),
        of: needed.count)
    }
    let scored = needed.filter { findings.lines[$0.path] != nil }
    var scores =
      switch set.content {
      case .geneval(let prompts): try geneval(prompts, scored, findings)
      case .dpg(let questions): try dpg(questions, scored, findings)
      case .geneval2(let prompts): try geneval2(prompts, scored, findings)
      case .longText(let prompts, let language): try longText(prompts, language, scored, findings)
      case .oneIG(let prompts, let texts): try oneIG(prompts, texts ?? [:], scored, findings)
      }
    scores.judges = findings.judges
    if !missing.isEmpty { scores.notes.append("Pictures that are missing: \(missing.count).") }
    if !extra.isEmpty { scores.notes.append("Pictures of no prompt: \(extra.count).") }
    if !lacking.isEmpty {
      scores.notes.append("Pictures without \(set.benchmark.findings.name): \(lacking.count).")
    }
    return scores
  }

  /// Whether a file is scored: of OneIG-Bench only pictures of texts are.
  func needsFindings(_ file: BenchmarkLayout.File) -> Bool {
    guard case .oneIG(let prompts, let texts) = set.content else { return true }
    let prompt = prompts.prompts[file.item]
    return prompt.folder == "text" && texts?[prompt.id] != nil
  }

  /// The pictures of a file, those of a grid one by one.
  ///
  /// - Throws: `BenchmarkError.unusablePicture`.
  public func images(of file: BenchmarkLayout.File) throws -> [RGBImage] {
    let path = "\(pictures)/\(file.path)"
    let image: RGBImage
    do {
      image = try RGBImage(contentsOf: path)
    } catch {
      throw BenchmarkError.unusablePicture(path: path, reason: "it cannot be decoded")
    }
    guard file.samples.count > 1 else { return [image] }
    return (0..<file.samples.count).map { image.gridPart($0, of: file.samples.count) }
  }

  /// A picture of the scores.
  func picture(
    _ file: BenchmarkLayout.File, place: Int? = nil, category: String? = nil, score: Double,
    found: String, reason: String
  ) -> BenchmarkScores.Picture {
    let item = set.items[file.item]
    return BenchmarkScores.Picture(
      file: file.path, place: place, item: item.id, number: file.item, prompt: item.prompt,
      category: category ?? item.category, score: score, found: found, reason: reason)
  }

  /// Scores without figures but the main one.
  func scores(_ overall: BenchmarkScores.Figure, prompts: Int) -> BenchmarkScores {
    BenchmarkScores(run: run, promptsHash: set.hash, prompts: prompts, overall: overall)
  }
}
