import Foundation
import Pictures

/// A picture that a client has sent.
struct UploadedImage: Sendable {
  /// The file.
  let bytes: [UInt8]
  /// The parameter that it came as.
  let param: String

  init(bytes: [UInt8], param: String) { (self.bytes, self.param) = (bytes, param) }

  /// Reads base64, also as a `data:` address.
  ///
  /// - Throws: `APIError` that names the parameter.
  init(base64 text: String, param: String) throws(APIError) {
    let content = text.hasPrefix("data:") ? text.drop { $0 != "," }.dropFirst() : text[...]
    guard let data = Data(base64Encoded: String(content), options: .ignoreUnknownCharacters),
      !data.isEmpty
    else {
      throw .invalid(
        "The parameter \(param) is not base64 of a picture. Encode the file so.", param: param,
        code: "invalid_base64")
    }
    self.init(bytes: Array(data), param: param)
  }

  /// The picture, over white where it is transparent.
  func image(_ limits: ServerLimits) throws(APIError) -> RGBImage {
    try decoded(.overWhite, limits)
  }

  /// The mask that the picture is by its transparency: transparent pixels may change.
  func alphaMask(_ limits: ServerLimits) throws(APIError) -> PictureFields.MaskImage {
    // What a pixel lets through of the ground is what it lacks in opacity.
    let light = try decoded(.overWhite, limits)
    let dark = try decoded(.over(red: 0, green: 0, blue: 0), limits)
    let values = stride(from: 0, to: light.values.count, by: 3).map { place in
      Float(Int(light.values[place]) - Int(dark.values[place])) / 255
    }
    return PictureFields.MaskImage(width: light.width, height: light.height, values: values)
  }

  /// The mask that the picture is by its brightness: white pixels may change.
  func whiteMask(_ limits: ServerLimits) throws(APIError) -> PictureFields.MaskImage {
    let image = try decoded(.over(red: 0, green: 0, blue: 0), limits)
    let values = stride(from: 0, to: image.values.count, by: 3).map { place in
      let sum = (0..<3).reduce(0) { $0 + Int(image.values[place + $1]) }
      return Float(sum) / 765
    }
    return PictureFields.MaskImage(width: image.width, height: image.height, values: values)
  }

  private func decoded(
    _ transparency: RGBImage.Transparency, _ limits: ServerLimits
  ) throws(APIError) -> RGBImage {
    do {
      return try bytes.withUnsafeBytes { bytes in
        try RGBImage(
          bytes, path: param, transparency: transparency, mostPixels: limits.imagePixels)
      }
    } catch {
      throw APIError(error, param: param)
    }
  }
}
