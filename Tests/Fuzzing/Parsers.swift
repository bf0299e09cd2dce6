// The parsers of requests under libFuzzer; scripts/fuzz compiles them together.

/// Reads bytes as everything that a request can hold. libFuzzer calls it with inputs that it derives from
/// those that reached new code.
@_cdecl("LLVMFuzzerTestOneInput")
public func readInput(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let bytes = UnsafeRawBufferPointer(start: start, count: count)
  if let form = try? MultipartForm(bytes, contentType: "multipart/form-data; boundary=b") {
    for part in form.parts {
      precondition(
        bytes[part.content.upperBound...].starts(with: "\r\n--b".utf8) || part.content.isEmpty)
    }
  }
  _ = try? JSONReader.read(bytes, deepest: 32, mostValues: 1000)
  if let text = String(validating: bytes, as: UTF8.self) {
    _ = HeaderValue(text)
    if let boundary = try? MultipartForm.boundary(text) {
      precondition((1...70).contains(boundary.utf8.count))
    }
  }
  return 0
}
