@testable import Serving

/// The answer that a call throws; nil where it throws none.
func answer(_ body: () throws -> Void) -> APIError? {
  do {
    try body()
    return nil
  } catch {
    return APIError(error)
  }
}

/// The parameters in a JSON text.
func parameters(_ json: String) throws -> RequestParameters {
  try Array(json.utf8).withUnsafeBytes { try RequestParameters(json: $0) }
}

/// A form that is read with its body.
struct ReadForm {
  let body: [UInt8]
  let form: MultipartForm

  /// Reads a form.
  init(
    _ body: [UInt8], contentType: String? = "multipart/form-data; boundary=b",
    limits: MultipartForm.Limits = .init()
  ) throws(MultipartError) {
    self.body = body
    form = try body.withUnsafeBytes { bytes in
      Result { () throws(MultipartError) in
        try MultipartForm(bytes, contentType: contentType, limits: limits)
      }
    }.get()
  }

  /// The content of each part as text.
  var texts: [String] {
    form.parts.map { String(decoding: body[$0.content], as: UTF8.self) }
  }

  /// The parameters among its fields.
  func parameters() throws -> RequestParameters {
    try body.withUnsafeBytes { try RequestParameters(form, body: $0) }
  }
}
