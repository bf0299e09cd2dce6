import Pictures

/// What a data set holds, and what is wrong with it, found by reading all of it.
public struct DataInspection: Sendable {
  /// The name of the kind in recipes.
  public let kind: String
  /// The folder or file.
  public let path: String
  /// The number of samples whose texts and pictures are there.
  public let count: Int
  /// What is wrong with rows, which would stop a run.
  public let problems: DataProblems
  /// The lengths of the prompts.
  public let prompts: PromptLengths
  /// How many samples have a prompt, by prompts; the most frequent ones first, at most `most`.
  public let frequentPrompts: [(prompt: String, count: Int)]
  /// How many pictures have a size, the most frequent sizes first.
  public let sizes: [(size: PictureSize, count: Int)]
  /// How many pictures fall into each bucket, by heights and widths.
  public let buckets: [(size: [Int], count: Int)]
  /// How many pictures are smaller than the size that they are brought to.
  public let smaller: Int
  /// The names of pictures with equal files, in at most `most` groups.
  public let duplicates: [[String]]
  /// The number of such groups.
  public let duplicateCount: Int
  /// The errors of damaged pictures, which name them.
  public let damaged: [String]
  /// The most damaged pictures that training leaves out.
  public let maxDamaged: Int
  /// Small versions of pictures across the data set.
  public let thumbnails: [Picture]

  /// The most prompts and groups of equal pictures that are listed.
  public static let most = 20
  /// The height and width of thumbnails in pixels.
  public static let thumbnailSize = 128

  /// Reads a data set of pictures or prompts.
  ///
  /// - Parameters:
  ///   - thumbnails: the number of pictures to keep small versions of.
  ///   - progress: called with the number of samples read and that of all.
  /// - Throws: `DatasetError.notInspected` for data without pictures and prompts; `DatasetError` and
  ///   `FileError` where the data cannot be opened at all.
  public init(
    _ data: any DataSet, thumbnails: Int = 0, progress: (Int, Int) -> Void = { _, _ in }
  ) throws {
    switch data {
    case let data as any PictureDataSet:
      try self.init(data.kind, data.rows(), data.options, thumbnails, progress)
    case let data as ClassImageData:
      let images = data.asImages()
      try self.init(data.kind, images.rows(), images.options, thumbnails, progress)
    case let data as FashionMNISTData:
      var options = PictureOptions()
      options.size = [data.arrays[0].shape[0], data.arrays[0].shape[1]]
      options.maxDamaged = 0
      try self.init(data.kind, FashionMNISTRows(data), options, thumbnails, progress)
    case let data as any PromptDataSet: try self.init(prompts: data)
    default: throw DatasetError.notInspected(kind: data.kind)
    }
  }

  /// Reads pictures.
  private init(
    _ kind: String, _ rows: any PictureRows, _ options: PictureOptions, _ thumbnails: Int,
    _ progress: (Int, Int) -> Void
  ) throws {
    (self.kind, maxDamaged) = (kind, options.maxDamaged)
    (path, count, problems) = (rows.path, rows.count, rows.problems)
    var reading = PictureReading(rows, options)
    try reading.read(thumbnails: thumbnails, progress)
    (prompts, frequentPrompts) = (reading.prompts.lengths, reading.prompts.frequent(Self.most))
    sizes = reading.sizes.map { ($0.key, $0.value) }.sorted { a, b in
      (b.count, a.size.height, a.size.width) < (a.count, b.size.height, b.size.width)
    }
    buckets = zip(options.sizes, reading.buckets).map { ($0, $1) }
    (smaller, damaged) = (reading.smaller, reading.damaged)
    (duplicates, duplicateCount) = reading.duplicates(Self.most)
    self.thumbnails = reading.thumbnails
  }

  /// Reads prompts without pictures.
  private init(prompts data: any PromptDataSet) throws {
    let samples = try data.samples()
    (kind, maxDamaged) = (data.kind, data.maxDamaged)
    (path, count, problems) = (samples.path, samples.count, DataProblems())
    var tally = PromptTally()
    for index in 0..<samples.count { tally.add(try samples.prompts(index)) }
    (prompts, frequentPrompts) = (tally.lengths, tally.frequent(Self.most))
    (sizes, buckets, smaller, damaged) = ([], [], 0, [])
    (duplicates, duplicateCount) = ([], 0)
    thumbnails = []
  }

  /// Whether a run would stop at the data.
  public var isBroken: Bool {
    count == 0 || problems.count > 0 || damaged.count > maxDamaged
  }
}
