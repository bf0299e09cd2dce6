import Files
import Foundation

/// The files of a folder of pictures and its subfolders.
struct FolderListing {
  /// The paths of the pictures within the folder, without reference images, in their order.
  private(set) var pictures: [String] = []
  /// What is wrong with the names.
  private(set) var problems = DataProblems()
  /// Whether every picture is in a subfolder, and there are no captions.
  let hasClasses: Bool
  private let captions: Set<String>
  /// The reference images, by their paths without endings.
  private let references: [String: String]
  /// The masks, by the paths of their pictures without endings.
  private let masks: [String: String]

  /// What the name of a mask has after that of its picture.
  private static let maskSuffixes = [".mask", "-masklabel"]

  /// The most levels of subfolders.
  private static let deepest = 64

  /// Lists a folder.
  ///
  /// - Throws: `FileError.unreadable`.
  init(_ folder: String) throws {
    var names: [String] = []
    try Self.list(folder, "", 0, into: &names)
    let stem = { (name: String) in ImageFolder.stem(name) }
    let ending = { (name: String) in (name as NSString).pathExtension.lowercased() }
    let captions = Set(names.filter { ending($0) == "txt" })
    var (references, known) = ([String: String](), [String: String]())
    var masks: [String: String] = [:]
    for name in names where ImageFolder.endings.contains(ending(name)) {
      let own = stem(name)
      let last = ending(own)
      if last.hasPrefix("ref"), Int(last.dropFirst(3)) != nil {
        references[own] = name
      } else if !captions.contains("\(own).txt"),
        let suffix = Self.maskSuffixes.first(where: own.hasSuffix)
      {
        masks[String(own.dropLast(suffix.count))] = name
      } else if let other = known[own] {
        problems.add(.inconsistent(path: folder, reason: "\(other) and \(name) have one name"))
      } else {
        known[own] = name
        pictures.append(name)
      }
    }
    pictures.sort { stem($0) < stem($1) }
    hasClasses = !pictures.isEmpty && captions.isEmpty && pictures.allSatisfy { $0.contains("/") }
    for caption in captions.sorted() where known[stem(caption)] == nil {
      problems.add(.captionAlone(path: "\(folder)/\(caption)"))
    }
    for (stem, mask) in masks.sorted(by: { $0.key < $1.key }) where known[stem] == nil {
      problems.add(
        .inconsistent(
          path: "\(folder)/\(mask)", reason: "it is a mask, and there is no picture \(stem)"))
    }
    (self.captions, self.references, self.masks) = (captions, references, masks)
  }

  /// Appends the paths of the files, in the order of names; hidden ones are not listed.
  private static func list(
    _ root: String, _ inner: String, _ depth: Int, into names: inout [String]
  ) throws {
    for name in try namesInFolder(inner.isEmpty ? root : "\(root)/\(inner)")
    where !name.hasPrefix(".") {
      let path = inner.isEmpty ? name : "\(inner)/\(name)"
      var status = stat()
      guard stat("\(root)/\(path)", &status) == 0 else { continue }
      guard status.st_mode & S_IFMT == S_IFDIR else {
        names.append(path)
        continue
      }
      guard depth < deepest else {
        throw DatasetError.inconsistent(
          path: "\(root)/\(path)", reason: "it is more than \(deepest) folders deep")
      }
      try list(root, path, depth + 1, into: &names)
    }
  }

  /// The mask beside a picture, nil without one.
  func mask(of picture: String) -> String? { masks[ImageFolder.stem(picture)] }

  /// The reference images beside a picture, and the names of what is missing there.
  func beside(_ picture: String, references count: Int) -> (references: [String], missing: [String])
  {
    let stem = ImageFolder.stem(picture)
    let name = { (path: String) in (path as NSString).lastPathComponent }
    var (found, missing) = ([String](), [String]())
    if !hasClasses, !captions.contains("\(stem).txt") { missing.append(name("\(stem).txt")) }
    for number in 0..<count {
      let reference = "\(stem).ref\(number + 1)"
      if let file = references[reference] {
        found.append(file)
      } else {
        missing.append(name("\(reference).png"))
      }
    }
    return (found, missing)
  }
}

extension FolderListing {
  /// The numbers of the classes, which are the first folders on the paths of pictures, in the order of their
  /// names.
  ///
  /// - Parameter count: the expected number of classes.
  /// - Throws: `DatasetError.inconsistent` for a picture that is in no subfolder, and `otherClasses`.
  func classNumbers(of path: String, count: Int) throws(DatasetError) -> [String: Int] {
    if let outside = pictures.first(where: { !$0.contains("/") }) {
      throw .inconsistent(
        path: path, reason: "\(outside) is in no subfolder, which would be its class")
    }
    let names = Set(pictures.map(ImageFolder.className)).sorted()
    guard names.count == count else {
      throw .otherClasses(path: path, found: names.count, expected: count)
    }
    return Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) })
  }
}
