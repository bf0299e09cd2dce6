import NIOCore
import Pictures

/// A form with its fields and files.
struct RequestForm: Sendable {
  /// The fields that are not files.
  let parameters: RequestParameters
  private let form: MultipartForm
  private let body: ByteBuffer

  /// Reads a body.
  ///
  /// - Throws: `MultipartError`, and `APIError` for a field that is not UTF-8.
  init(_ body: ByteBuffer, contentType: String?) throws {
    self.body = body
    (form, parameters) = try body.withUnsafeReadableBytes { bytes in
      let form = try MultipartForm(bytes, contentType: contentType)
      return (form, try RequestParameters(form, body: bytes))
    }
  }

  /// The pictures of a field, over white where they are transparent.
  ///
  /// - Throws: `APIError` that names the field.
  func images(_ name: String, _ limits: ServerLimits) throws(APIError) -> [RGBImage] {
    let files = form.files(name)
    guard files.count <= limits.images else {
      throw .invalid(
        "There are \(files.count) pictures under \(name), and at most \(limits.images) were "
          + "expected.",
        param: name, code: "array_above_max_length")
    }
    var images: [RGBImage] = []
    for file in files { images.append(try uploaded(file, name).image(limits)) }
    return images
  }

  /// The mask of a field, whose transparent pixels may change; nil without one.
  ///
  /// - Throws: `APIError` that names the field.
  func mask(_ name: String, _ limits: ServerLimits) throws(APIError) -> PictureFields.MaskImage? {
    guard let file = form.files(name).last else { return nil }
    return try uploaded(file, name).alphaMask(limits)
  }

  private func uploaded(_ part: MultipartForm.Part, _ name: String) -> UploadedImage {
    UploadedImage(
      bytes: body.withUnsafeReadableBytes { Array(part.bytes(of: $0)) }, param: name)
  }
}
