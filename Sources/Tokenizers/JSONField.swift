import Files

/// A value of a JSON file that knows where it stands, for messages.
struct JSONField {
  let value: JSON
  /// The file's path.
  let file: String
  /// The keys on the way from the file's root, such as `model.vocab`.
  let place: String

  /// Reads a file.
  ///
  /// - Throws: `FileError.unreadable` and `TokenizerError.invalidJSON`.
  init(file path: String) throws {
    let file = try MappedFile(path)
    let result = withExtendedLifetime(file) {
      Result { () throws(JSONReader.Failure) in try JSONReader.read(file.bytes) }
    }
    switch result {
    case .success(let value): self.init(value, file: path, place: "the file")
    case .failure(let failure):
      throw TokenizerError.invalidJSON(file: path, byte: failure.byte, reason: failure.reason)
    }
  }

  private init(_ value: JSON, file: String, place: String) {
    (self.value, self.file, self.place) = (value, file, place)
  }

  func wrong(_ reason: String) -> TokenizerError {
    .wrongValue(file: file, place: place, reason: reason)
  }

  private func expected(_ kind: String) -> TokenizerError {
    wrong("is \(value.kind), and \(kind) was expected")
  }

  /// Whether the value is null.
  var isNull: Bool { if case .null = value { true } else { false } }

  /// The members of an object, in their order.
  func members() throws -> [(key: String, field: JSONField)] {
    guard case .object(let members) = value else { throw expected("an object") }
    return members.map { ($0.key, member($0.key, $0.value)) }
  }

  /// The elements of a list.
  func elements() throws -> [JSONField] {
    guard case .array(let elements) = value else { throw expected("a list") }
    return elements.enumerated().map {
      JSONField($0.element, file: file, place: "\(place)[\($0.offset)]")
    }
  }

  /// The text of a string.
  func string() throws -> String {
    guard case .string(let text) = value else { throw expected("a string") }
    return text
  }

  /// The scalar of a string that has just one.
  func scalar() throws -> Unicode.Scalar {
    let scalars = try string().unicodeScalars
    guard let first = scalars.first, scalars.count == 1 else {
      throw wrong("is \"\(try string())\", and one character was expected")
    }
    return first
  }

  func bool() throws -> Bool {
    guard case .bool(let flag) = value else { throw expected("true or false") }
    return flag
  }

  func number() throws -> Double {
    guard let number = value.double else { throw expected("a number") }
    return number
  }

  /// The ids that a token may have.
  static let ids = 0...Int(Int32.max / 2)

  /// A whole number of a range.
  func int(in range: ClosedRange<Int> = Self.ids) throws -> Int {
    guard let number = Int(exactly: try number()), range.contains(number) else {
      throw wrong(
        "is \(try number()), and a whole number from \(range.lowerBound) to \(range.upperBound) was "
          + "expected")
    }
    return number
  }

  /// A member of an object; nil where there is none or it is null.
  func optional(_ key: String) throws -> JSONField? {
    guard case .object(let members) = value else { throw expected("an object") }
    // Of equal keys the last one counts.
    guard let found = members.last(where: { $0.key.utf8.elementsEqual(key.utf8) }) else {
      return nil
    }
    let field = member(key, found.value)
    return field.isNull ? nil : field
  }

  /// A member of an object.
  func required(_ key: String) throws -> JSONField {
    guard let field = try optional(key) else { throw wrong("has no \(key)") }
    return field
  }

  private func member(_ key: String, _ value: JSON) -> JSONField {
    JSONField(value, file: file, place: place == "the file" ? key : "\(place).\(key)")
  }
}
