import Testing

@testable import Serving

/// Forms by the grammar of RFC 2046 and RFC 7578.
@Suite struct MultipartFormTests {
  private static let field = "Content-Disposition: form-data; name=\"a\"\r\n"

  private func read(_ text: String, limits: MultipartForm.Limits = .init()) throws -> ReadForm {
    try ReadForm(Array(text.utf8), limits: limits)
  }

  /// A field and a file as curl sends them.
  @Test func readsFieldsAndFiles() throws {
    let read = try read(
      "--b\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\na dog\r\n"
        + "--b\r\nContent-Disposition: form-data; name=\"image[]\"; filename=\"a \\\"b\\\".png\"\r\n"
        + "Content-Type: image/png\r\n\r\n\u{1}\r\n--c\r\n\r\n--b--\r\n")
    let parts = read.form.parts
    #expect(parts.map(\.name) == ["prompt", "image[]"])
    #expect(parts.map(\.filename) == [nil, "a \"b\".png"])
    #expect(parts.map(\.contentType) == [nil, "image/png"])
    #expect(read.texts == ["a dog", "\u{1}\r\n--c\r\n"])
    #expect(read.form.files("image") == [parts[1]] && read.form.files("mask").isEmpty)
  }

  @Test(
    arguments: [
      // A preamble, an epilogue, blanks behind boundaries.
      ("preamble\r\n--b \t\r\n\(field)\r\nx\r\n--b-- \r\nepilogue --b", ["x"]),
      ("\r\n--b\r\n\(field)\r\nx\r\n--b--", ["x"]),
      // Empty content, with and without a blank line of its own.
      ("--b\r\n\(field)\r\n\r\n--b--", [""]), ("--b\r\n\(field)\r\n--b--", [""]),
      // Line ends and beginnings of boundaries within the content.
      ("--b\r\n\(field)\r\n\r\n\r\n--b--", ["\r\n"]),
      ("--b\r\n\(field)\r\n\n--b\n\r\r\n-\r\n--\r\n--b--", ["\n--b\n\r\r\n-\r\n--"]),
      // No part.
      ("--b--", []), ("--b--\r\n", []),
      // Header names in any case, unknown headers, blanks around values.
      ("--b\r\ncontent-disposition:\t form-data;name=a \r\nX-Y:\r\n\r\nx\r\n--b--", ["x"]),
      ("--b\r\n\(field)Content-Transfer-Encoding: Binary\r\n\r\nx\r\n--b--", ["x"]),
    ] as [(String, [String])])
  func readsContent(text: String, contents: [String]) throws {
    #expect(try read(text).texts == contents)
  }

  @Test(
    arguments: [
      ("", .boundaryNotFound("b")), ("x--b\r\n", .boundaryNotFound("b")),
      ("--c\r\n", .boundaryNotFound("b")), ("\n--b--", .boundaryNotFound("b")),
      ("--b", .malformedDelimiter(byte: 3)), ("--b\n", .malformedDelimiter(byte: 3)),
      ("--bc\r\n", .malformedDelimiter(byte: 3)), ("--b-\r\n", .malformedDelimiter(byte: 3)),
      ("--b--x", .malformedDelimiter(byte: 3)), ("--b\r", .malformedDelimiter(byte: 3)),
      ("--b\r\n", .unterminated(part: 1)), ("--b\r\n\(field)", .unterminated(part: 1)),
      ("--b\r\n\(field)\r\nx", .unterminated(part: 1)),
      ("--b\r\n\(field)\r\nx\r\n--", .unterminated(part: 1)),
      ("--b\r\n\(field)\r\nx\r\n--b\r\n", .unterminated(part: 2)),
      ("--b\r\n\r\nx\r\n--b--", .noName(part: 1)),
      ("--b\r\n\(field)\r\n--b\r\n\r\n--b--", .noName(part: 2)),
      ("--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--", .noName(part: 1)),
      ("--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--", .noName(part: 1)),
      (
        "--b\r\nContent-Disposition: form-data; name=\"\"\r\n\r\nx\r\n--b--",
        .noName(part: 1)
      ),
      (
        "--b\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\nx\r\n--b--",
        .malformedHeader(part: 1, line: "Content-Disposition: attachment; name=\"a\"")
      ),
      (
        "--b\r\n\(field)\(field)\r\nx\r\n--b--",
        .malformedHeader(part: 1, line: "Content-Disposition: form-data; name=\"a\"")
      ),
      ("--b\r\n\(field) folded\r\n\r\nx", .malformedHeader(part: 1, line: " folded")),
      ("--b\r\nno colon\r\n\r\nx", .malformedHeader(part: 1, line: "no colon")),
      ("--b\r\n: x\r\n\r\nx", .malformedHeader(part: 1, line: ": x")),
      ("--b\r\nA B: x\r\n\r\nx", .malformedHeader(part: 1, line: "A B: x")),
      ("--b\r\nA: x\ny\r\n\r\nx", .malformedHeader(part: 1, line: "A: x\ny")),
      ("--b\r\nA: x\ry\r\n\r\nx", .malformedHeader(part: 1, line: "A: x")),
      ("--b\r\nA: \0\r\n\r\nx", .malformedHeader(part: 1, line: "A: \0")),
      (
        "--b\r\n\(field)Content-Transfer-Encoding: base64\r\n\r\nx",
        .encoded(part: 1, encoding: "base64")
      ),
    ] as [(String, MultipartError)])
  func namesMistakes(text: String, error: MultipartError) {
    #expect(throws: error) { try read(text) }
    #expect(!error.description.contains("\n") && !error.description.contains("\r"))
  }

  @Test func limitsPartsAndHeaders() throws {
    var limits = MultipartForm.Limits()
    (limits.parts, limits.headerBytes, limits.nameBytes) = (2, 60, 4)
    let part = "--b\r\n\(Self.field)\r\nx\r\n"
    #expect(try read(part + part + "--b--", limits: limits).texts == ["x", "x"])
    #expect(throws: MultipartError.tooManyParts(limit: 2)) {
      try read(part + part + part + "--b--", limits: limits)
    }
    let long = "--b\r\nX: \(String(repeating: "x", count: 100))\r\n\(Self.field)\r\nx\r\n--b--"
    #expect(throws: MultipartError.headersTooLong(part: 1, limit: 60)) {
      try read(long, limits: limits)
    }
    let named = "--b\r\nContent-Disposition: form-data; name=abcde\r\n\r\nx\r\n--b--"
    #expect(throws: MultipartError.nameTooLong(part: 1, limit: 4)) {
      try read(named, limits: limits)
    }
    limits.nameBytes = 5
    #expect(try read(named, limits: limits).form.parts[0].name == "abcde")
  }

  @Test(
    arguments: [
      ("multipart/form-data; boundary=abc", "abc"), ("Multipart/Form-Data;BOUNDARY=\"a b\"", "a b"),
      ("multipart/form-data; boundary=----=_Part_1", "----=_Part_1"),
      ("multipart/form-data; charset=utf-8; boundary='()+_,-./:=?", "'()+_,-./:=?"),
      (
        "multipart/form-data; boundary=\(String(repeating: "b", count: 70))",
        String(repeating: "b", count: 70)
      ),
    ])
  func readsBoundaries(header: String, boundary: String) throws {
    #expect(try MultipartForm.boundary(header) == boundary)
  }

  @Test(
    arguments: [
      (nil, .otherType(nil)), ("application/json", .otherType("application/json")),
      ("multipart/mixed; boundary=b", .otherType("multipart/mixed; boundary=b")),
      ("multipart/form-data", .noBoundary),
      ("multipart/form-data; boundary=\"\"", .illegalBoundary("")),
      ("multipart/form-data; boundary=\"b \"", .illegalBoundary("b ")),
      ("multipart/form-data; boundary=b@", .illegalBoundary("b@")),
      ("multipart/form-data; boundary=\"b\r\"", .illegalBoundary("b\r")),
      (
        "multipart/form-data; boundary=\(String(repeating: "b", count: 71))",
        .illegalBoundary(String(repeating: "b", count: 71))
      ),
    ] as [(String?, MultipartError)])
  func refusesBoundaries(header: String?, error: MultipartError) {
    #expect(throws: error) { try MultipartForm.boundary(header) }
  }

  @Test func emptyFileFieldsAreNoFiles() throws {
    let field = "--b\r\nContent-Disposition: form-data; name=\"image\"; filename="
    let contents = ["\"\"\r\n\r\n", "\"\"\r\n\r\nx", "\"y\"\r\n\r\n"]
    let read = try read(contents.map { "\(field)\($0)\r\n" }.joined() + "--b--")
    #expect(read.form.files("image") == Array(read.form.parts.dropFirst()))
  }
}
