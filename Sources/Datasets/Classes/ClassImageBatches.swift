import Files
import Foundation
import Pictures
import Tensors

/// Shuffled batches of pictures with classes.
struct ClassImageBatches: BatchSource {
  private let folder: ClassFolder
  private let data: ClassImageData
  private let size: Int
  private let transparency: RGBImage.Transparency
  private var sampler: BatchSampler

  init(_ folder: ClassFolder, _ data: ClassImageData, size: Int, seed: UInt64) {
    (self.folder, self.data, self.size) = (folder, data, size)
    transparency = .over(
      red: UInt8(data.ground[0]), green: UInt8(data.ground[1]), blue: UInt8(data.ground[2]))
    sampler = BatchSampler(count: folder.pictures.count, seed: seed)
  }

  var content: String { folder.content }

  mutating func next(rows: Range<Int>) throws -> Named<HostArray> {
    let picks = Array(sampler.next(size)[rows])
    let this = self
    let images = try Parallel.tryMap(picks.count) { number in try this.pixels(picks[number]) }
    var values: [Float] = []
    values.reserveCapacity(rows.count * data.arrays[0].shape.count)
    for image in images { values += image }
    let labels = picks.map { folder.pictures[$0.index].label }
    return Named([
      (
        InputSpec.sample,
        HostArray(
          values, shape: [rows.count, data.size[0], data.size[1], data.channels])
      ),
      ("class", HostArray(labels, shape: [rows.count])),
    ])
  }

  /// The values of a picture within ±1.
  private func pixels(_ pick: BatchSampler.Pick) throws -> [Float] {
    var (x, y) = (0.5, 0.5)
    if data.crop == .random {
      var random = SplitMix64(pick.draw)
      (x, y) = (.random(in: 0...1, using: &random), .random(in: 0...1, using: &random))
    }
    let whole = try PictureFile(folder.pictures[pick.index].path).image(transparency)
    var image = whole.covering(width: data.size[1], height: data.size[0], x: x, y: y)
    if data.flip, pick.coin { image = image.mirrored() }
    let values = data.channels == 3 ? image.values : image.gray
    return values.map { Float($0) / 127.5 - 1 }
  }

  func saved() throws -> String { try JSONFile.text(sampler.position) }

  mutating func restore(_ saved: String) throws {
    try sampler.restore(
      JSONDecoder().decode(BatchSampler.Position.self, from: Data(saved.utf8)))
  }
}

extension RGBImage {
  /// The brightness of each pixel: ITU-R BT.601, in fixed point as in Pillow's `convert("L")`.
  var gray: [UInt8] {
    stride(from: 0, to: values.count, by: 3).map { pixel in
      let sum =
        Int(values[pixel]) * 19595 + Int(values[pixel + 1]) * 38470
        + Int(values[pixel + 2]) * 7471
      return UInt8((sum + 0x8000) >> 16)
    }
  }
}
