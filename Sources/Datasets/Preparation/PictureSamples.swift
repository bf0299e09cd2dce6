import Files
import Foundation
import Pictures

/// The samples of a data set of pictures: each picture in all versions that the options ask for, with its
/// prompts.
///
/// The versions of a picture follow each other, so that its latents can be computed once before training.
struct PictureSamples: PromptSamples {
  private let rows: any PictureRows
  private let options: PictureOptions
  /// The bucket of each row; empty where there is one.
  private let buckets: [UInt8]

  /// Takes rows; with buckets the head of each picture is read.
  ///
  /// - Throws: `FileError` and `DatasetError`.
  init(_ rows: any PictureRows, _ options: PictureOptions) throws {
    self.rows = rows
    self.options = options
    let sizes = options.sizes
    buckets =
      try sizes.count == 1
      ? []
      : (0..<rows.count).map { row in
        let file = try rows.file(row, reference: nil)
        // A damaged picture is found when it is decoded.
        guard let size = try? file.pictureSize() else { return 0 }
        return UInt8(Self.bucket(of: size, among: sizes))
      }
  }

  /// The index of the size whose aspect ratio is nearest to that of a picture; the first of equal ones.
  static func bucket(of size: PictureSize, among sizes: [[Int]]) -> Int {
    func distance(_ other: [Int]) -> Double {
      abs(log(Double(size.height) / Double(size.width) * Double(other[1]) / Double(other[0])))
    }
    return sizes.indices.min { distance(sizes[$0]) < distance(sizes[$1]) } ?? 0
  }

  var path: String { rows.path }
  var content: String { rows.content }
  var count: Int { rows.count * versions }

  private var versions: Int { max(1, options.randomCrops) * (options.flip ? 2 : 1) }

  func bucket(_ index: Int) -> Int { buckets.isEmpty ? 0 : Int(buckets[index / versions]) }

  func prompts(_ index: Int) throws -> [String] {
    try rows.texts(index / versions).flatMap { caption in
      CaptionOrders.of(caption, options.captionOrders)
    }
  }

  func name(_ index: Int) -> String { rows.name(index / versions) }

  /// Raised where pictures come to be prepared in another way.
  private static let preparation = 1

  func identity(_ index: Int) throws -> SampleIdentity {
    let version = version(index)
    func hash(_ reference: Int?, _ size: [Int]) throws -> String {
      let hash = ContentHash()
      hash.add(
        "\(Self.preparation) \(options.ground) \(size) \(version.x) \(version.y) "
          + "\(version.isMirrored)")
      try rows.file(version.row, reference: reference).withBytes { hash.add($0) }
      return hash.text
    }
    let picture = try hash(nil, options.sizes[bucket(index)])
    return SampleIdentity(
      picture: picture,
      references: try (0..<options.references).map { try hash($0, options.referenceSize) },
      mask: try mask(version.row).map { file in
        let hash = ContentHash()
        hash.add(picture)
        file.withBytes { hash.add($0) }
        return hash.text
      })
  }

  func images(_ index: Int) throws -> SampleImages {
    let version = version(index)
    func image(_ reference: Int?) throws -> RGBImage {
      try rows.file(version.row, reference: reference).image(options.transparency)
    }
    func part(_ whole: RGBImage, _ size: [Int]) -> RGBImage {
      let part = whole.covering(
        width: size[1], height: size[0], x: version.x, y: version.y)
      return version.isMirrored ? part.mirrored() : part
    }
    let (picture, size) = (try image(nil), options.sizes[bucket(index)])
    return SampleImages(
      picture: part(picture, size),
      references: try (0..<options.references).map { part(try image($0), options.referenceSize) },
      mask: try mask(version.row).map { file in
        // Brought to the size of the picture, it is cut like it.
        let mask = try file.image(options.transparency)
          .resized(width: picture.width, height: picture.height, filter: .bilinear)
        return part(mask, size)
      })
  }

  private func mask(_ row: Int) throws -> PictureFile? {
    options.masks ? try rows.mask(row) : nil
  }

  /// A picture with the part of it that a sample takes.
  private struct Version {
    let row: Int
    /// The place of the part, from 0 to 1 of what is left over.
    let x, y: Double
    let isMirrored: Bool
  }

  private func version(_ index: Int) -> Version {
    let (row, version) = (index / versions, index % versions)
    let crop = options.flip ? version / 2 : version
    var (x, y) = (0.5, 0.5)
    if options.randomCrops > 0 {
      var random = SplitMix64(UInt64(row) &* 0x9E37_79B9_7F4A_7C15 ^ UInt64(crop))
      (x, y) = (.random(in: 0...1, using: &random), .random(in: 0...1, using: &random))
    }
    return Version(row: row, x: x, y: y, isMirrored: options.flip && version % 2 == 1)
  }
}
