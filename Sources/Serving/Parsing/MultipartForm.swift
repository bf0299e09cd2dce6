import Foundation

/// A form of several parts, as browsers and clients send files: `multipart/form-data` of RFC 7578, whose
/// syntax is that of RFC 2046, 5.1.1.
///
/// Lines end with CR LF. Text before the first boundary and behind the last one is ignored. The time is
/// linear in the body, and nothing of it is copied but names.
struct MultipartForm: Sendable, Equatable {
  /// The parts in the order of the body.
  let parts: [Part]

  /// One part.
  struct Part: Sendable, Equatable {
    /// The name of the field.
    let name: String
    /// The name of the file; nil for a plain field. It is never a path of this machine.
    let filename: String?
    /// The type that the client claims for the content.
    let contentType: String?
    /// The place of the content in the body.
    let content: Range<Int>

    /// The content.
    ///
    /// - Parameter body: the body that the form was read from.
    func bytes(of body: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
      UnsafeRawBufferPointer(rebasing: body[content])
    }
  }

  /// What a form may have at most.
  struct Limits: Sendable {
    /// The number of parts.
    var parts = 64
    /// The bytes of a part's headers.
    var headerBytes = 4096
    /// The bytes of a part's name.
    var nameBytes = 256
  }

  /// Reads a body.
  ///
  /// - Parameter contentType: the request's header `Content-Type`.
  /// - Throws: `MultipartError`.
  init(
    _ body: UnsafeRawBufferPointer, contentType: String?, limits: Limits = Limits()
  ) throws(MultipartError) {
    let boundary = try Self.boundary(contentType)
    let delimiter = Delimiter(body: body, text: Array("\r\n--\(boundary)".utf8))
    guard var place = delimiter.first else { throw .boundaryNotFound(boundary) }
    var parts: [Part] = []
    while try !delimiter.isLast(&place) {
      guard parts.count < limits.parts else { throw .tooManyParts(limit: limits.parts) }
      let headers = try PartHeaders(
        body, at: place, part: parts.count + 1, limits: limits)
      // The blank line behind the headers may be the line end of an empty part's boundary.
      guard let end = delimiter.next(from: headers.end - 2) else {
        throw .unterminated(part: parts.count + 1)
      }
      parts.append(
        Part(
          name: headers.name, filename: headers.filename, contentType: headers.contentType,
          content: headers.end..<max(headers.end, end)))
      place = end + delimiter.text.count
    }
    self.parts = parts
  }

  /// The files of a field, also where its name has `[]` behind it as for lists. A field for files that
  /// browsers send although none was chosen, without a name and content, is left out.
  func files(_ name: String) -> [Part] {
    parts.filter { part in
      guard let filename = part.filename, !filename.isEmpty || !part.content.isEmpty else {
        return false
      }
      return part.name == name || part.name == name + "[]"
    }
  }

  /// The boundary that a header names: RFC 2046, 5.1.1.
  static func boundary(_ contentType: String?) throws(MultipartError) -> String {
    guard let contentType, let header = HeaderValue(contentType),
      header.value == "multipart/form-data"
    else { throw .otherType(contentType) }
    guard let boundary = header.parameters["boundary"] else { throw .noBoundary }
    let isLegal = boundary.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "a")...UInt8(ascii: "z"):
        true
      default: "'()+_,-./:=? ".utf8.contains(byte)
      }
    }
    guard isLegal, (1...70).contains(boundary.utf8.count), boundary.utf8.last != 0x20 else {
      throw .illegalBoundary(boundary)
    }
    return boundary
  }
}

/// The line end, two hyphens and boundary that separate parts.
private struct Delimiter {
  let body: UnsafeRawBufferPointer
  let text: [UInt8]

  /// The place behind the first delimiter, which may be at the body's start without a line end.
  var first: Int? {
    if body.starts(with: text.dropFirst(2)) { return text.count - 2 }
    return next(from: 0).map { $0 + text.count }
  }

  /// The place of the next delimiter. Each byte is compared at most twice, since only the delimiter's
  /// first one is a CR.
  func next(from start: Int) -> Int? {
    guard let base = body.baseAddress else { return nil }
    var place = start
    while body.count - place >= text.count {
      guard let found = memchr(base + place, 0x0D, body.count - place - text.count + 1) else {
        return nil
      }
      let candidate = UnsafeRawPointer(found) - base
      if memcmp(base + candidate, text, text.count) == 0 { return candidate }
      place = candidate + 1
    }
    return nil
  }

  /// Whether a delimiter closes the form.
  ///
  /// - Parameter place: behind the boundary; moved behind its line.
  func isLast(_ place: inout Int) throws(MultipartError) -> Bool {
    let start = place
    func isAt(_ bytes: [UInt8]) -> Bool { body[place...].starts(with: bytes) }
    let isLast = isAt([UInt8(ascii: "-"), UInt8(ascii: "-")])
    if isLast { place += 2 }
    // Transports may add blanks.
    while isAt([0x20]) || isAt([0x09]) { place += 1 }
    if isLast, place == body.count { return true }
    guard isAt([0x0D, 0x0A]) else { throw .malformedDelimiter(byte: start) }
    place += 2
    return isLast
  }
}

/// The headers of one part: RFC 7578, 4.2 to 4.8.
private struct PartHeaders {
  private(set) var name = ""
  private(set) var filename: String?
  private(set) var contentType: String?
  /// The place behind the blank line.
  private(set) var end: Int

  init(
    _ body: UnsafeRawBufferPointer, at start: Int, part: Int, limits: MultipartForm.Limits
  ) throws(MultipartError) {
    let limit = min(body.count, start + limits.headerBytes)
    var disposition: HeaderValue?
    end = start
    while true {
      let lineStart = end
      var place = lineStart
      while place < limit, body[place] != 0x0D { place += 1 }
      guard place + 1 < limit else {
        throw limit == body.count
          ? .unterminated(part: part) : .headersTooLong(part: part, limit: limits.headerBytes)
      }
      let bytes = body[lineStart..<place]
      func malformed() -> MultipartError {
        .malformedHeader(part: part, line: String(decoding: bytes, as: UTF8.self))
      }
      guard body[place + 1] == 0x0A else { throw malformed() }
      end = place + 2
      if bytes.isEmpty { break }
      guard let (key, value) = Self.header(bytes) else { throw malformed() }
      switch key {
      case "content-disposition":
        guard disposition == nil, let found = HeaderValue(value), found.value == "form-data" else {
          throw malformed()
        }
        disposition = found
      case "content-type": contentType = value
      case "content-transfer-encoding":
        guard ["7bit", "8bit", "binary"].contains(value.lowercased()) else {
          throw .encoded(part: part, encoding: value)
        }
      default: break
      }
    }
    guard let disposition, let found = disposition.parameters["name"], !found.isEmpty else {
      throw .noName(part: part)
    }
    guard found.utf8.count <= limits.nameBytes else {
      throw .nameTooLong(part: part, limit: limits.nameBytes)
    }
    (name, filename) = (found, disposition.parameters["filename"])
  }

  /// The name of a header in lower case, and its value; nil where the line is malformed or continues
  /// another one.
  private static func header(_ line: Slice<UnsafeRawBufferPointer>) -> (String, String)? {
    let isText = line.allSatisfy { ($0 >= 0x20 && $0 != 0x7F) || $0 == 0x09 }
    guard isText, let text = String(validating: line, as: UTF8.self),
      let colon = text.utf8.firstIndex(of: UInt8(ascii: ":"))
    else { return nil }
    let key = text[..<colon]
    guard !key.isEmpty, key.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
    let value = text[text.utf8.index(after: colon)...]
    return (key.lowercased(), value.trimmingCharacters(in: .whitespaces))
  }
}
