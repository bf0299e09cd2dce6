import Foundation
import Models
import Weights

/// The folder of a network that judges pictures.
struct JudgeFolder {
  private(set) var path: String

  /// Finds a folder by its path or by a name for `ModelLibrary`.
  ///
  /// - Parameter component: the folder in it for the network of a whole model; nil for networks alone.
  /// - Throws: the errors of `ModelLibrary.path` and of `ModelFolder`.
  init(_ name: String, component: String? = nil) throws {
    let found = try ModelLibrary().path(of: name)
    path = found
    guard let component, has(ModelFolder.index) else { return }
    path = try ModelFolder(found).folder(component)
  }

  private init(path: String) { self.path = path }

  /// The folder with one of some files: this one, or one beside it with a name, as models of several
  /// networks have it; this one where they are in neither.
  func place(of files: [String], orIn name: String) -> JudgeFolder {
    let parent = URL(fileURLWithPath: path).standardizedFileURL.deletingLastPathComponent().path
    let other = JudgeFolder(path: "\(parent)/\(name)")
    return !files.contains(where: has) && files.contains(where: other.has) ? other : self
  }

  /// Reads how pictures are prepared for the network.
  ///
  /// - Parameter name: the folder beside this one that may say it instead; nil for none.
  /// - Throws: the errors of `ImageProcessorFile.read`.
  func imageProcessor<Config: Decodable>(orIn name: String? = nil) throws -> Config {
    let place = name.map { self.place(of: ImageProcessorFile.names, orIn: $0) } ?? self
    return try ImageProcessorFile.read(in: place.path)
  }

  /// Whether the path is that of a file.
  var isFile: Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
      && !isFolder.boolValue
  }

  /// Whether a file is there.
  func has(_ file: String) -> Bool { FileManager.default.fileExists(atPath: "\(path)/\(file)") }

  /// Reads a file of settings.
  ///
  /// - Parameter purpose: what the file is needed for.
  /// - Throws: `PipelineError.missingFile`, and the errors of `PublishedConfig.read`.
  func read<Config: Decodable>(
    _ file: String, for purpose: String
  ) throws -> Config {
    guard has(file) else {
      throw PipelineError.missingFile(path: path, file: file, purpose: purpose)
    }
    return try PublishedConfig.read(from: "\(path)/\(file)")
  }

  /// The files of weights.
  ///
  /// - Parameter names: the names that they may have, the usual one first; files of several parts may
  ///   stand for the first one.
  /// - Throws: the errors of `WeightFiles`.
  func weights(_ names: String...) throws -> WeightFiles {
    for name in names where WeightFiles.exist(at: "\(path)/\(name)") {
      return try WeightFiles(path: "\(path)/\(name)")
    }
    return try WeightFiles(path: path)
  }
}
