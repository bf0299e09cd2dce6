import Foundation
import Pictures
import TestSupport
import Testing

/// Changed pictures end with an error or with a picture within the limit.
@Suite struct UploadFuzzTests {
  /// A progressive JPEG file of 16 × 12 pixels from libjpeg through Pillow.
  private static let progressive =
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywt"
    + "QFdBRkxOUlNSMj5aYVpQYEpRUk//2wBDAQ4ODhMREyYVFSZPNS01T09PT09PT09PT09PT09PT09PT09PT09PT09PT09P"
    + "T09PT09PT09PT09PT09PT09PT09PT0//wgARCAAMABADASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAABAX/xAAV"
    + "AQEBAAAAAAAAAAAAAAAAAAACA//aAAwDAQACEAMQAAABlucyJ//EABcQAAMBAAAAAAAAAAAAAAAAAAABAgP/2gAIAQEA"
    + "AQUCjEnAzlESmf/EABYRAQEBAAAAAAAAAAAAAAAAAAQAAv/aAAgBAwEBPwEydX//xAAYEQACAwAAAAAAAAAAAAAAAAAA"
    + "AQIhYf/aAAgBAgEBPwFTpaf/xAAUEAEAAAAAAAAAAAAAAAAAAAAg/9oACAEBAAY/Ah//xAAZEAEBAAMBAAAAAAAAAAAA"
    + "AAABABFBUWH/2gAIAQEAAT8h8ItlxTGUv//aAAwDAQACAAMAAAAQ8//EABQRAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQMB"
    + "AT8Qb//EABYRAQEBAAAAAAAAAAAAAAAAAAERAP/aAAgBAgEBPxALJXP/xAAXEAEBAQEAAAAAAAAAAAAAAAAAABEh/9oA"
    + "CAEBAAE/ENcgAQCbkGdF/9k="

  private static let limit = 100_000

  /// Valid files of every format and form.
  private static func samples() throws -> [[UInt8]] {
    let pictures = [1, 3, 4].map { channels in
      Picture(
        width: 16, height: 12, channels: channels,
        values: (0..<16 * 12 * channels).map { UInt8($0 * 37 % 256) })
    }
    let texts = [(key: "parameters", text: "a dog"), (key: "Title", text: "靴 👕")]
    return try pictures.flatMap { picture in
      try [picture.png(texts: texts), picture.jpeg(quality: 80), picture.webp(quality: 80)]
    }.map(Array.init) + [Array(Data(base64Encoded: progressive) ?? Data())]
  }

  @Test func changedPicturesEndWithAnAnswer() throws {
    let samples = try Self.samples()
    let mutator = ByteMutator(
      pieces: [
        [0xFF, 0xC0], [0xFF, 0xC2], [0xFF, 0xDA], [0xFF, 0xD9], [0xFF, 0xC4], [0xFF, 0xE1],
        [0xFF, 0x01],
      ] + ["IDAT", "IHDR", "eXIf", "zTXt", "VP8X", "ALPH", "EXIF"].map { Array($0.utf8) },
      longest: 1 << 14)
    var decoded = 0
    FuzzLength(inputs: 2000).forEachSeed { seed in
      var random = SeededGenerator(seed)
      let sample = samples[Int(seed % UInt64(samples.count))]
      let bytes = mutator.mutated(sample, with: samples, &random)
      do throws(PictureError) {
        let image = try bytes.withUnsafeBytes { bytes in
          Result { () throws(PictureError) in
            try RGBImage(bytes, path: "image", mostPixels: Self.limit)
          }
        }.get()
        decoded += 1
        #expect(image.width * image.height <= Self.limit, "seed \(seed)")
      } catch {
        #expect(!error.description.contains("\n"), "seed \(seed)")
      }
    }
    // Not every change damages a picture.
    #expect(decoded > 0)
  }

  @Test func unchangedPicturesAreRead() throws {
    for sample in try Self.samples() {
      let image = try sample.withUnsafeBytes {
        try RGBImage($0, path: "image", mostPixels: 16 * 12)
      }
      #expect(image.width == 16 && image.height == 12)
    }
  }
}
