import Files
import Models

/// The parameters of a request, from JSON or a form, read by name and type.
///
/// Parameters that nobody reads are ignored, and null is the same as none. A reader returns nil for none
/// and throws an `APIError` of status 400 that names the parameter otherwise. Numbers in quotes are no
/// numbers in JSON; in a form everything is text.
struct RequestParameters: Sendable {
  private enum Value: Sendable {
    case json(JSON)
    /// The fields of a form with one name.
    case texts([String])
  }

  private var values: [String: Value] = [:]
  /// What stands before names in messages, such as `loras[0].`.
  private var place = ""

  /// The parameter whose members stand beside the others, as openai-python sends them.
  private static let extra = "extra_body"
  /// The largest number of lists and objects inside each other.
  private static let deepest = 32
  /// The largest number of values.
  private static let mostValues = 100_000

  /// Reads a JSON object; of members with the same name the last one counts, and those of `extra_body`
  /// count more than others.
  ///
  /// - Throws: `APIError` where the text is not UTF-8, not JSON, no object, nested more than 32 deep or of
  ///   more than 100,000 values.
  init(json bytes: UnsafeRawBufferPointer) throws(APIError) {
    try self.init(members: Self.object(bytes, param: nil), place: "")
    try flatten()
  }

  /// Reads the fields of a form that are not files. `name[]` is a field of the list `name`.
  ///
  /// - Parameter body: the body that the form was read from.
  /// - Throws: `APIError` where a field is not UTF-8.
  init(_ form: MultipartForm, body: UnsafeRawBufferPointer) throws(APIError) {
    var fields: [String: [String]] = [:]
    for part in form.parts where part.filename == nil {
      let name = part.name.hasSuffix("[]") ? String(part.name.dropLast(2)) : part.name
      guard let text = String(validating: part.bytes(of: body), as: UTF8.self) else {
        throw .invalid(
          "The parameter \(name.shown) is not UTF-8 text. Encode it so.", param: name,
          code: "invalid_encoding")
      }
      fields[name, default: []].append(text)
    }
    values = fields.mapValues { .texts($0) }
    try flatten()
  }

  private init(members: [(key: String, value: JSON)], place: String) {
    self.place = place
    for (key, value) in members {
      if case .null = value { values[key] = nil } else { values[key] = .json(value) }
    }
  }

  /// Puts the members of `extra_body` beside the others.
  private mutating func flatten() throws(APIError) {
    guard let found = try object(Self.extra) else { return }
    values[Self.extra] = nil
    values.merge(found.values) { $1 }
  }

  private static func object(
    _ bytes: UnsafeRawBufferPointer, param: String?
  ) throws(APIError) -> [(key: String, value: JSON)] {
    let what = param.map { "The parameter \($0)" } ?? "The body"
    let value: JSON
    do {
      value = try JSONReader.read(bytes, deepest: deepest, mostValues: mostValues)
    } catch {
      throw .invalid(
        "\(what) is not valid JSON: \(error.reason) at byte \(error.byte). Correct it.",
        param: param, code: "invalid_json")
    }
    guard case .object(let members) = value else {
      throw .invalid(
        "\(what) is \(value.kind), and a JSON object was expected.", param: param,
        code: "invalid_type")
    }
    return members
  }

  private static func object(
    text: String, param: String
  ) throws(APIError) -> [(key: String, value: JSON)] {
    try Array(text.utf8).withUnsafeBytes { bytes in
      Result { () throws(APIError) in try object(bytes, param: param) }
    }.get()
  }

  /// Whether there is a parameter other than null.
  func has(_ name: String) -> Bool { values[name] != nil }

  /// A text.
  ///
  /// - Parameter limit: the largest number of Unicode scalars.
  func string(_ name: String, atMost limit: Int) throws(APIError) -> String? {
    switch values[name] {
    case nil: return nil
    case .json(.string(let text)): return try checked(text, name, atMost: limit)
    case .texts(let texts): return try checked(texts[texts.count - 1], name, atMost: limit)
    case let found?: throw wrongType(name, found, expected: "a string")
    }
  }

  /// A text that must be there.
  func requiredString(_ name: String, atMost limit: Int) throws(APIError) -> String {
    guard let text = try string(name, atMost: limit) else { throw .missing(place + name) }
    return text
  }

  /// A list of texts.
  ///
  /// - Parameters:
  ///   - count: the largest number of texts.
  ///   - limit: the largest number of Unicode scalars in each.
  func strings(
    _ name: String, atMost count: Int, each limit: Int
  ) throws(APIError) -> [String]? {
    var found: [String] = []
    switch values[name] {
    case nil: return nil
    case .texts(let texts): found = texts
    case .json(.array(let elements)):
      for (index, element) in elements.enumerated() {
        guard case .string(let text) = element else {
          throw wrongType("\(name)[\(index)]", .json(element), expected: "a string")
        }
        found.append(text)
      }
    case let other?: throw wrongType(name, other, expected: "a list of strings")
    }
    try check(count: found.count, name, atMost: count)
    for (index, text) in found.enumerated() {
      _ = try checked(text, "\(name)[\(index)]", atMost: limit)
    }
    return found
  }

  /// A whole number of a range; 2.0 is one, 2.5 is none.
  func integer<Whole: FixedWidthInteger>(
    _ name: String, in range: ClosedRange<Whole>
  ) throws(APIError) -> Whole? {
    guard let (value, shown) = try numberValue(name, expected: "a whole number") else { return nil }
    let whole: Whole?
    var isBelow = false
    switch value {
    case .integer(let number):
      (whole, isBelow) = (Whole(exactly: number), number < range.lowerBound)
    case .unsigned(let number): whole = Whole(exactly: number)
    case .number(let number):
      guard number == number.rounded() else {
        throw wrong(name, shown, "a whole number", code: "invalid_type")
      }
      (whole, isBelow) = (Whole(exactly: number), number < Double(range.lowerBound))
    default: whole = nil
    }
    guard let whole, range.contains(whole) else {
      throw wrong(
        name, shown, "a whole number from \(range.lowerBound) to \(range.upperBound)",
        code: isBelow ? "integer_below_min_value" : "integer_above_max_value")
    }
    return whole
  }

  /// A number of a range.
  func number(_ name: String, in range: ClosedRange<Double>) throws(APIError) -> Double? {
    guard let (value, shown) = try numberValue(name, expected: "a number") else { return nil }
    guard let number = value.double else {
      throw wrong(name, shown, "a number", code: "invalid_type")
    }
    guard range.contains(number) else {
      throw wrong(
        name, shown, "a number from \(range.lowerBound) to \(range.upperBound)",
        code: number < range.lowerBound ? "decimal_below_min_value" : "decimal_above_max_value")
    }
    return number
  }

  /// `true` or `false`.
  func bool(_ name: String) throws(APIError) -> Bool? {
    switch values[name] {
    case nil: return nil
    case .json(.bool(let flag)): return flag
    case .texts(let texts):
      let text = texts[texts.count - 1]
      switch text.lowercased() {
      case "": return nil
      case "true": return true
      case "false": return false
      default: throw wrong(name, text.shown, "true or false", code: "invalid_type")
      }
    case let found?: throw wrongType(name, found, expected: "true or false")
    }
  }

  /// One of some texts.
  func choice(_ name: String, _ choices: [String]) throws(APIError) -> String? {
    let text: String
    switch values[name] {
    case nil: return nil
    case .json(.string(let found)): text = found
    case .texts(let texts):
      text = texts[texts.count - 1]
      if text.isEmpty { return nil }
    case let found?: throw wrongType(name, found, expected: "a string")
    }
    guard choices.contains(text) else {
      throw wrong(
        name, text.shown, "one of \(choices.joined(separator: ", "))", code: "invalid_value")
    }
    return text
  }

  /// One of the cases of an enumeration, by its text.
  func choice<Choice: RawRepresentable<String> & CaseIterable>(
    _ name: String, as: Choice.Type = Choice.self
  ) throws(APIError) -> Choice? {
    try choice(name, Choice.allCases.map(\.rawValue)).flatMap(Choice.init)
  }

  /// A size such as `1024x768`, width before height; nil also for `auto`.
  ///
  /// - Parameter sides: the range of the width and of the height.
  func size(_ name: String, sides: ClosedRange<Int>) throws(APIError) -> ImageSize? {
    guard let text = try string(name, atMost: 100), !text.isEmpty, text != "auto" else {
      return nil
    }
    let numbers = text.split(separator: "x", omittingEmptySubsequences: false).map { digits in
      digits.utf8.allSatisfy { 0x30...0x39 ~= $0 } ? Int(digits) : nil
    }
    guard numbers.count == 2, let width = numbers[0], let height = numbers[1],
      sides.contains(width), sides.contains(height)
    else {
      throw wrong(
        name, text.shown,
        "\"auto\", or WIDTHxHEIGHT with sides of \(sides.lowerBound) to \(sides.upperBound) pixels",
        code: "invalid_value")
    }
    return ImageSize(height: height, width: width)
  }

  /// An object; in a form its JSON text.
  func object(_ name: String) throws(APIError) -> RequestParameters? {
    switch values[name] {
    case nil: return nil
    case .json(.object(let members)):
      return RequestParameters(members: members, place: "\(place)\(name).")
    case .texts(let texts):
      let text = texts[texts.count - 1]
      if text.isEmpty { return nil }
      let members = try Self.object(text: text, param: place + name)
      return RequestParameters(members: members, place: "\(place)\(name).")
    case let found?: throw wrongType(name, found, expected: "an object")
    }
  }

  /// A list of objects; in a form each is a field with its JSON text.
  ///
  /// - Parameter count: the largest number of objects.
  func objects(_ name: String, atMost count: Int) throws(APIError) -> [RequestParameters]? {
    var found: [RequestParameters] = []
    switch values[name] {
    case nil: return nil
    case .json(.array(let elements)):
      try check(count: elements.count, name, atMost: count)
      for (index, element) in elements.enumerated() {
        guard case .object(let members) = element else {
          throw wrongType("\(name)[\(index)]", .json(element), expected: "an object")
        }
        found.append(RequestParameters(members: members, place: "\(place)\(name)[\(index)]."))
      }
    case .texts(let texts):
      try check(count: texts.count, name, atMost: count)
      for (index, text) in texts.enumerated() {
        let members = try Self.object(text: text, param: "\(place)\(name)[\(index)]")
        found.append(RequestParameters(members: members, place: "\(place)\(name)[\(index)]."))
      }
    case let other?: throw wrongType(name, other, expected: "a list of objects")
    }
    return found
  }

  /// A number with its text for messages. An empty field of a form is none: Python's clients send it for
  /// None.
  private func numberValue(
    _ name: String, expected: String
  ) throws(APIError) -> (value: JSON, shown: String)? {
    switch values[name] {
    case nil: return nil
    case .json(.integer(let number)): return (.integer(number), "\(number)")
    case .json(.unsigned(let number)): return (.unsigned(number), "\(number)")
    case .json(.number(let number)): return (.number(number), "\(number)")
    case .texts(let texts):
      let text = texts[texts.count - 1]
      if text.isEmpty { return nil }
      let value = Array(text.utf8).withUnsafeBytes { bytes in
        try? JSONReader.read(bytes, deepest: 0, mostValues: 1)
      }
      switch value {
      case .integer, .unsigned, .number: return value.map { ($0, text.shown) }
      default: throw wrong(name, text.shown, expected, code: "invalid_type")
      }
    case let found?: throw wrongType(name, found, expected: expected)
    }
  }

  private func checked(
    _ text: String, _ name: String, atMost limit: Int
  ) throws(APIError) -> String {
    // A scalar takes at least one byte.
    guard text.utf8.count > limit else { return text }
    let count = text.unicodeScalars.count
    guard count <= limit else {
      throw .invalid(
        "The parameter \(place)\(name) has \(count) characters, and at most \(limit) were expected. "
          + "Shorten it.",
        param: place + name, code: "string_above_max_length")
    }
    return text
  }

  private func check(count: Int, _ name: String, atMost limit: Int) throws(APIError) {
    guard count <= limit else {
      throw .invalid(
        "The parameter \(place)\(name) has \(count) elements, and at most \(limit) were expected.",
        param: place + name, code: "array_above_max_length")
    }
  }

  private func wrong(
    _ name: String, _ found: String, _ expected: String, code: String
  ) -> APIError {
    .invalid(
      "The parameter \(place)\(name) is \(found), and \(expected) was expected.",
      param: place + name, code: code)
  }

  private func wrongType(_ name: String, _ found: Value, expected: String) -> APIError {
    let shown =
      switch found {
      case .json(.string(let text)): "the string \(text.shown)"
      case .json(.integer(let number)): "the number \(number)"
      case .json(.number(let number)): "the number \(number)"
      case .json(.bool(let flag)): "\(flag)"
      case .json(let other): other.kind
      case .texts(let texts): texts.last?.shown ?? ""
      }
    return wrong(name, shown, expected, code: "invalid_type")
  }
}
