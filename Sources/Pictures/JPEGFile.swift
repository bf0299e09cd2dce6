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
  /// - Parameter mostPixels: the limit of pixels, checked before anything of their size is allocated.
  /// - Throws: `PictureError.damaged`, `tooManyPixels` and `tooLarge`.
  init(
    _ bytes: UnsafeRawBufferPointer, path: String, mostPixels: Int = .max
  ) throws(PictureError) {
    var picture = cjpeg_picture()
    var message = [CChar](repeating: 0, count: 200)
    let status = cjpeg_decode(
      bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count, mostPixels,
      &picture, &message)
    defer {
      free(picture.pixels)
      free(picture.exif)
    }
    guard status != 2 else {
      throw .beyondLimits(
        path: path, width: Int(picture.width), height: Int(picture.height), mostPixels: mostPixels)
    }
    guard status == 0 else { throw .damaged(path: path, reason: String(message: message)) }
    let (width, height) = (Int(picture.width), Int(picture.height))
    let values = Array(UnsafeBufferPointer(start: picture.pixels, count: width * height * 3))
    image = RGBImage(width: width, height: height, values: values)
    exif = Array(UnsafeBufferPointer(start: picture.exif, count: picture.exif_count))
  }

  /// The largest width and height that the format can hold in libjpeg.
  private static let largestSide = 65_500

  /// The bytes of a file, gray or in color; transparent pixels lie over white.
  ///
  /// - Throws: `PictureError.unencodable`.
  static func encode(_ picture: Picture, quality: Int) throws(PictureError) -> Data {
    let (width, height) = (picture.width, picture.height)
    func fail(_ reason: String) -> PictureError {
      .unencodable(format: "JPEG", width: width, height: height, reason: reason)
    }
    guard (1...largestSide).contains(width), (1...largestSide).contains(height) else {
      throw fail("each side must have 1 to \(largestSide) pixels")
    }
    let values = picture.channels == 4 ? RGBImage(picture).values : picture.values
    var bytes: UnsafeMutablePointer<UInt8>?
    var count = 0
    var message = [CChar](repeating: 0, count: 200)
    let status = cjpeg_encode(
      values, UInt32(width), UInt32(height), picture.channels == 1 ? 1 : 3, Int32(quality), &bytes,
      &count, &message)
    defer { free(bytes) }
    guard status == 0, let bytes else { throw fail(String(message: message)) }
    return Data(bytes: bytes, count: count)
  }
}
