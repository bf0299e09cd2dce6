import Files
import Foundation
import Pictures

/// The pictures of a folder with a subfolder for each class, without damaged ones.
struct ClassFolder: Sendable {
  /// One picture.
  struct Entry: Sendable {
    /// Its path.
    let path: String
    /// The index of its class.
    let label: Int32
  }

  /// The pictures.
  let pictures: [Entry]
  /// The hash of the pictures and their classes.
  let content: String

  /// Lists a folder and decodes every picture once.
  ///
  /// - Parameters:
  ///   - classes: the expected number of classes.
  ///   - limit: the most damaged pictures that are left out.
  ///   - notice: called with a sentence for each of them, and of the progress.
  /// - Throws: `DatasetError` and `FileError`.
  init(_ path: String, classes: Int, limit: Int, notice: (String) -> Void) throws {
    let listing = try FolderListing(path)
    guard !listing.pictures.isEmpty else {
      throw DatasetError.noSamples(
        path: path, expected: "subfolder with PNG, JPEG or WebP pictures")
    }
    let numbers = try listing.classNumbers(of: path, count: classes)
    let all = listing.pictures.map { name in
      Entry(path: "\(path)/\(name)", label: Int32(numbers[ImageFolder.className(name)]!))
    }
    var damaged = DamagedPictures(of: path, limit: limit)
    var pictures: [Entry] = []
    let hash = ContentHash()
    let most = 256
    var last = ContinuousClock.now
    for start in stride(from: 0, to: all.count, by: most) {
      let some = Array(all[start..<min(all.count, start + most)])
      let results = Parallel.map(some.count) { number in Result { try Self.hash(some[number]) } }
      for (entry, result) in zip(some, results) {
        do {
          hash.add(try result.get())
          pictures.append(entry)
        } catch let error as PictureError {
          if let sentence = try damaged.add(error) { notice(sentence) }
        }
      }
      if ContinuousClock.now - last > .seconds(30) {
        last = .now
        notice("Checked \(start + some.count) of \(all.count) pictures.")
      }
    }
    content = hash.text
    self.pictures = pictures
  }

  /// The hash of a picture's file and class, once it has been decoded.
  private static func hash(_ entry: Entry) throws -> String {
    let file = try PictureFile(entry.path)
    _ = try file.image(.ignored)
    return "\(entry.label) \(file.contentHash)"
  }
}
