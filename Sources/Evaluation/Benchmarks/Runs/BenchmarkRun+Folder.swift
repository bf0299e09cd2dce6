import Files
import Foundation

extension BenchmarkSet {
  /// The folder of its runs.
  public var folderName: String {
    switch content {
    case .longText(_, .chinese): "\(benchmark.rawValue)-zh"
    case .oneIG(let prompts, _) where prompts.language == .chinese: "\(benchmark.rawValue)-zh"
    default: benchmark.rawValue
    }
  }
}

extension BenchmarkRun {
  /// Describes a run in a folder, which is made, with a copy of the prompts.
  ///
  /// - Throws: `FileError`.
  public init(
    _ set: BenchmarkSet, name: String, in folder: String, pictures: String = "pictures",
    picturesPerPrompt: Int
  ) throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let file = (set.path as NSString).lastPathComponent
    self.init(
      set.benchmark, name: name, prompts: file, pictures: pictures,
      picturesPerPrompt: picturesPerPrompt)
    try Self.copy(set.path, to: "\(folder)/\(file)")
    if case .oneIG(let prompts, _) = set.content,
      let texts = OneIGPrompts.textsPath(beside: set.path, prompts.language)
    {
      try Self.copy(texts, to: "\(folder)/\((texts as NSString).lastPathComponent)")
    }
  }

  private static func copy(_ path: String, to place: String) throws {
    let content = try MappedFile.data(path)
    guard FileManager.default.contents(atPath: place) != content else { return }
    try StagedFile.write(content, to: place, as: .text)
  }
}
