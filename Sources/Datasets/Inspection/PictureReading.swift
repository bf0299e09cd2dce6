import Pictures

/// Decodes all pictures of a data set on all cores, and counts what is found.
struct PictureReading {
  private let rows: any PictureRows
  private let options: PictureOptions
  private(set) var prompts = PromptTally()
  private(set) var sizes: [PictureSize: Int] = [:]
  private(set) var buckets: [Int]
  private(set) var smaller = 0
  private(set) var damaged: [String] = []
  private(set) var thumbnails: [Picture] = []
  /// The rows with each file, by the file's hash.
  private var equal: [String: [Int]] = [:]

  init(_ rows: any PictureRows, _ options: PictureOptions) {
    (self.rows, self.options) = (rows, options)
    buckets = [Int](repeating: 0, count: options.sizes.count)
  }

  /// The names of pictures with equal files in the first groups, at most `most` of each, and the number of
  /// groups.
  func duplicates(_ most: Int) -> (groups: [[String]], count: Int) {
    let groups = equal.values.filter { $0.count > 1 }.sorted { $0[0] < $1[0] }
    return (groups.prefix(most).map { $0.prefix(most).map(rows.name) }, groups.count)
  }

  /// What is found of one picture.
  private struct Found: Sendable {
    let hash: String
    let size: PictureSize
    let thumbnail: Picture?
  }

  /// Reads all rows.
  mutating func read(thumbnails count: Int, _ progress: (Int, Int) -> Void) throws {
    let (rows, options) = (rows, options)
    let shown = Set(
      (0..<min(count, rows.count)).map { $0 * rows.count / min(count, rows.count) })
    let most = 64
    for start in stride(from: 0, to: rows.count, by: most) {
      let results = Parallel.map(min(most, rows.count - start)) { number in
        Result { try Self.found(rows, start + number, options, shown.contains(start + number)) }
      }
      for (number, result) in results.enumerated() {
        prompts.add(try rows.texts(start + number))
        do {
          add(try result.get(), start + number)
        } catch let error as PictureError {
          damaged.append("\(error)")
        }
      }
      progress(start + results.count, rows.count)
    }
  }

  private static func found(
    _ rows: any PictureRows, _ row: Int, _ options: PictureOptions, _ isShown: Bool
  ) throws -> Found {
    let file = try rows.file(row, reference: nil)
    let image = try file.image(options.transparency)
    for reference in 0..<options.references {
      _ = try rows.file(row, reference: reference).image(options.transparency)
    }
    if options.masks { _ = try rows.mask(row)?.image(options.transparency) }
    let side = DataInspection.thumbnailSize
    return Found(
      hash: file.contentHash, size: PictureSize(height: image.height, width: image.width),
      thumbnail: isShown ? image.covering(width: side, height: side).picture : nil)
  }

  private mutating func add(_ found: Found, _ row: Int) {
    sizes[found.size, default: 0] += 1
    let bucket = PictureSamples.bucket(of: found.size, among: options.sizes)
    buckets[bucket] += 1
    let size = options.sizes[bucket]
    if found.size.height < size[0] || found.size.width < size[1] { smaller += 1 }
    equal[found.hash, default: []].append(row)
    if let thumbnail = found.thumbnail { thumbnails.append(thumbnail) }
  }
}
