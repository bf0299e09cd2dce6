import CJPEG
import Foundation

/// The content of a JPEG file.
struct JPEGFile {
  /// The pixels as they are stored.
  let image: RGBImage
  /// The EXIF block, empty without one.
  let exif: [UInt8]

  /// Decodes the bytes of a file.
  ///
  /// - Throws: `PictureError.damaged`.
  init(_ bytes: UnsafeRawBufferPointer, path: String) throws(PictureError) {
    var picture = cjpeg_picture()
    var message = [CChar](repeating: 0, count: 200)
    let status = cjpeg_decode(
      bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count, &picture, &message)
    defer {
      free(picture.pixels)
      free(picture.exif)
    }
    guard status == 0 else { throw .damaged(path: path, reason: String(message: message)) }
    let (width, height) = (Int(picture.width), Int(picture.height))
    let values = Array(UnsafeBufferPointer(start: picture.pixels, count: width * height * 3))
    image = RGBImage(width: width, height: height, values: values)
    exif = Array(UnsafeBufferPointer(start: picture.exif, count: picture.exif_count))
  }
}
