import Foundation

/// The recipes and weights that are installed with the program, independent of the working
/// directory.
///
/// The path of an existing file is used as it is. Other relative paths that begin with `Assets/` or
/// `Recipes/`, and names of recipes such as `compare/points`, are searched for in the shared
/// folders: that of the variable `TWINFLOW_SHARE`, `../share/twinflow` relative to the program's
/// folder, and the project's root where the program is in its build folder.
public struct SharedFiles: Sendable {
  /// The folders to search, in order; each holds `Recipes` and `Assets`.
  public let folders: [String]

  /// The shared files of this process.
  public static let standard = SharedFiles(
    environment: ProcessInfo.processInfo.environment,
    executable: Bundle.main.executableURL?.resolvingSymlinksInPath().path)

  /// Finds the folders of a program by its environment and the path of its executable.
  public init(environment: [String: String], executable: String?) {
    var folders: [String] = []
    if let folder = environment["TWINFLOW_SHARE"], !folder.isEmpty {
      folders.append(expandedPath(folder, environment: environment))
    }
    if let executable {
      let bin = Self.parent(of: executable)
      folders.append((bin == "/" ? "" : Self.parent(of: bin)) + "/share/twinflow")
      if let root = Self.root(above: bin) { folders.append(root) }
    }
    self.folders = folders
  }

  /// The path of an input file: as given where it exists or is not the name of a shared file,
  /// otherwise in the first shared folder that has it.
  ///
  /// - Throws: `FileError.notFound` for a shared file's name that is in none of the folders.
  public func path(_ name: String) throws(FileError) -> String {
    guard name.hasPrefix("Assets/") || name.hasPrefix("Recipes/") else { return name }
    return try found(name, among: folders.map { "\($0)/\(name)" })
  }

  /// The path of a recipe: as `path`, and for a relative name such as `fashion-mnist-demo` or
  /// `compare/points.yaml` also that file in the folders of recipes. A folder of this name, such as
  /// that of an earlier run, is ignored.
  ///
  /// - Throws: `FileError.notFound` for a relative name that is in none of the folders.
  public func recipe(_ name: String) throws(FileError) -> String {
    if name.hasPrefix("Recipes/") { return try path(name) }
    guard let first = name.first, !"/.~".contains(first) else { return name }
    let file = name.hasSuffix(".yaml") ? name : name + ".yaml"
    let candidates = folders.map { "\($0)/Recipes/\(file)" }
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: name, isDirectory: &isFolder), isFolder.boolValue {
      return candidates.first(where: FileManager.default.fileExists) ?? name
    }
    return try found(name, among: candidates)
  }

  private func found(_ name: String, among candidates: [String]) throws(FileError) -> String {
    let manager = FileManager.default
    // Invalid names are left to the reader of the file.
    if name.utf8.contains(0) || manager.fileExists(atPath: name) { return name }
    // Weights may be in several files with an index.
    let suffixes = ["", ".index.json"]
    for candidate in [name] + candidates {
      if suffixes.contains(where: { manager.fileExists(atPath: candidate + $0) }) {
        return candidate
      }
    }
    let here = manager.currentDirectoryPath
    throw .notFound(name: name, places: ["\(here == "/" ? "" : here)/\(name)"] + candidates)
  }

  /// The parent folder with `Package.swift` and `Assets`, nil where there is none.
  private static func root(above folder: String) -> String? {
    var folder = folder
    while folder != "/", folder.hasPrefix("/") {
      let isRoot = ["Package.swift", "Assets"].allSatisfy {
        FileManager.default.fileExists(atPath: "\(folder)/\($0)")
      }
      if isRoot { return folder }
      folder = parent(of: folder)
    }
    return nil
  }

  private static func parent(of path: String) -> String {
    let parent = path.split(separator: "/").dropLast().joined(separator: "/")
    return "/" + parent
  }
}
