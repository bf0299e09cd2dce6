import Foundation
import Pictures

/// The formats of picture files in answers.
enum PictureFormat: String, CaseIterable, Sendable {
  case png
  case jpeg
  case webp

  /// The type in headers.
  var mediaType: String { "image/\(rawValue)" }

  /// A picture as a file.
  ///
  /// - Parameters:
  ///   - quality: from 0 to 100, for formats with loss.
  ///   - texts: the text chunks of a PNG file.
  func file(
    _ picture: RGBImage, quality: Int, texts: [(key: String, text: String)]
  ) throws -> Data {
    switch self {
    case .png: picture.picture.png(texts: texts)
    case .jpeg: try picture.picture.jpeg(quality: max(1, quality))
    case .webp: try picture.picture.webp(quality: quality)
    }
  }
}
