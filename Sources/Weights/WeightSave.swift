import Files
import Foundation

/// One saving of weights under a path: what it will write, what it replaces, and what of that is its
/// own to delete.
///
/// Files are deleted by their names alone, never by a pattern: those that the index names that is
/// replaced, and those that an earlier save has written down before it made them, and was cut short.
struct WeightSave {
  /// The file that the whole is named after, with links followed.
  let place: String
  /// The names of the files that a whole of several has.
  let files: [String]
  private let folder: String
  private let name: String
  private let oldIndex: WeightIndex?
  private let unfinished: UnfinishedSave?

  /// Under this name a file of a whole of several says which whole that is, and under the next one
  /// which file it is: a random text that its index repeats.
  static let (setKey, idKey) = ("twinflow_set", "twinflow_file_id")

  /// Looks at what is there, and refuses to replace what is not weights or is one of `inputs`.
  ///
  /// - Parameter files: makes the names of several files of the name of the whole, without its
  ///   ending; none for one file.
  init(to path: String, files: (String) -> [String], protecting inputs: [String]) throws {
    let place = try placeOfFile(path)
    guard !place.isEmpty, !place.hasSuffix("/") else {
      throw FileError.unwritable(path: path, reason: "it names no file")
    }
    self.place = place
    folder = (place as NSString).deletingLastPathComponent
    name = (place as NSString).lastPathComponent
    self.files = files(name.hasSuffix(".safetensors") ? String(name.dropLast(12)) : name)
    let index = place + WeightIndex.suffix
    oldIndex = Self.index(index)
    unfinished = try UnfinishedSave(of: place)
    try FileKind.safetensors.checkReplaceable(place)
    if !self.files.isEmpty {
      try FileKind.json.checkReplaceable(index)
      if oldIndex == nil, Self.isFilled(index) {
        throw FileError.otherKind(
          path: index, found: "JSON that is not an index of weights", expected: "such an index")
      }
      for file in self.files { try checkOwn(file) }
    }
    let all = Set(self.files).union(named)
    for output in [place, index, UnfinishedSave.path(of: place)] + all.sorted().map(self.path) {
      try checkOutput(output, replacesNoneOf: inputs)
    }
  }

  /// What a file of the whole says of itself.
  func metadata(id: String) -> [String: String] { [Self.setKey: name, Self.idKey: id] }

  /// The path of one of the files.
  func path(_ file: String) -> String { folder.isEmpty ? file : "\(folder)/\(file)" }

  /// A text that no other file has.
  static func newID() -> String { UUID().uuidString.lowercased() }

  /// Writes down what will be made, before any of several files takes its place.
  func begin() throws {
    let writes = Set(files).union(unfinished?.writes ?? [])
    let replaces = oldNames.union(unfinished?.replaces ?? [])
    try UnfinishedSave(writes: writes, replaces: replaces).write(of: place)
  }

  /// Deletes what has been replaced, once all is in its place.
  ///
  /// - Throws: `FileError.unwritable` where the one file that several have replaced is still there:
  ///   it would be read in their place.
  func finish() throws {
    if !files.isEmpty, unlink(place) != 0, errno != ENOENT {
      throw FileError.unwritable(path: place, reason: String(cString: strerror(errno)))
    }
    var isClean = true
    let replaced = named.subtracting(files).subtracting([name])
    // Where it cannot be said what else the folder's indices name, nothing is deleted.
    guard !replaced.isEmpty, let others = namedByOthers() else {
      return finish(isClean: replaced.isEmpty)
    }
    for file in replaced.subtracting(others).sorted() where isOwn(file) {
      // What cannot be deleted is left to the next save, which finds its name where this one did.
      isClean = (unlink(path(file)) == 0 || errno == ENOENT) && isClean
    }
    finish(isClean: isClean)
  }

  /// Deletes what has names of files that are gone. Where it stays, nothing is read wrongly: a file is
  /// read before the index beside it, and what a list names is looked at again by the next save.
  private func finish(isClean: Bool) {
    guard isClean else { return }
    if files.isEmpty, oldIndex != nil { unlink(place + WeightIndex.suffix) }
    if !files.isEmpty || unfinished != nil { unlink(UnfinishedSave.path(of: place)) }
  }

  /// What the index names that is replaced; what lies elsewhere is not its own.
  private var oldNames: Set<String> { oldIndex?.files.filter(WeightIndex.isPlain) ?? [] }

  /// All that earlier saves have left names of.
  private var named: Set<String> {
    oldNames.union(unfinished?.writes ?? []).union(unfinished?.replaces ?? [])
  }

  /// Whether a file with a name that was left is still what the name was left for.
  private func isOwn(_ file: String) -> Bool {
    if oldNames.contains(file) || unfinished?.replaces.contains(file) == true {
      return (try? FileKind.safetensors.checkReplaceable(path(file))) != nil
    }
    return isPart(file)
  }

  /// Whether a file says of itself that it belongs to this whole.
  private func isPart(_ file: String) -> Bool {
    (try? SafeTensors(path: path(file)))?.metadata[Self.setKey] == name
  }

  /// Checks that a file that will be written is not there, or was of this whole before.
  private func checkOwn(_ file: String) throws {
    let path = path(file)
    try FileKind.safetensors.checkReplaceable(path)
    guard Self.isFilled(path), !named.contains(file), !isPart(file) else { return }
    throw FileError.otherKind(
      path: path, found: "weights that no index of \(name) names", expected: "a part of \(name)")
  }

  /// The files that the folder's other indices name; nil where the folder cannot be listed.
  private func namedByOthers() -> Set<String>? {
    let own = name + WeightIndex.suffix
    guard let names = try? namesInFolder(folder.isEmpty ? "." : folder) else { return nil }
    return names.filter { $0.hasSuffix(WeightIndex.suffix) && $0 != own }.reduce(into: []) {
      $0.formUnion(Self.index(path($1))?.files ?? [])
    }
  }

  /// What an index says; nil where there is none, or something else.
  private static func index(_ path: String) -> WeightIndex? {
    guard let file = try? MappedFile(path) else { return nil }
    return withExtendedLifetime(file) { try? WeightIndex(file.bytes) }
  }

  private static func isFilled(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_size > 0
  }
}
