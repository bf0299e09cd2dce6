/// What is put around the ids of a text.
struct PostProcessor: Sendable {
  /// A part of the result.
  private enum Part: Sendable {
    case text
    case tokens([Int32])
  }

  private let parts: [Part]

  /// Leaves texts as they are.
  static let none = PostProcessor(parts: [.text])

  /// One token before the text and one behind it, where there are any.
  init(start: Int32?, end: Int32?) {
    parts = [.tokens(start.map { [$0] } ?? []), .text, .tokens(end.map { [$0] } ?? [])]
  }

  private init(parts: [Part]) { self.parts = parts }

  /// Reads a field by its `type`; of templates, the one for a single text.
  init(_ field: JSONField) throws {
    let type = try field.required("type").string()
    switch type {
    // It concerns places in the text alone.
    case "ByteLevel": self = .none
    case "RobertaProcessing", "BertProcessing":
      self.init(
        start: try Self.token(field.required("cls")), end: try Self.token(field.required("sep")))
    case "TemplateProcessing":
      let tokens = try field.required("special_tokens")
      let parts = try field.required("single").elements().map { part -> Part in
        if let special = try part.optional("SpecialToken") {
          let id = try special.required("id").string()
          return .tokens(
            try tokens.required(id).required("ids").elements().map { Int32(try $0.int()) })
        }
        let name = try part.required("Sequence").required("id")
        guard try name.string() == "A" else { throw name.wrong("is not A") }
        return .text
      }
      self.init(parts: parts)
    case "Sequence":
      let processors = try field.required("processors").elements().map { try PostProcessor($0) }
        .filter { $0.addedCount > 0 }
      guard processors.count <= 1 else {
        throw TokenizerError.unsupported(
          file: field.file, place: field.place, found: "a Sequence of several that add tokens",
          supported: ["a Sequence of one that adds tokens"])
      }
      self = processors.first ?? .none
    default:
      throw TokenizerError.unsupported(
        file: field.file, place: field.place, found: type,
        supported: [
          "BertProcessing", "ByteLevel", "RobertaProcessing", "Sequence", "TemplateProcessing",
        ])
    }
  }

  /// The id in a pair such as `["</s>", 1]`.
  private static func token(_ field: JSONField) throws -> Int32 {
    let pair = try field.elements()
    guard pair.count == 2 else { throw field.wrong("is not a token and its id") }
    return Int32(try pair[1].int())
  }

  /// How many tokens are added to a text.
  var addedCount: Int {
    parts.reduce(0) { count, part in
      if case .tokens(let tokens) = part { count + tokens.count } else { count }
    }
  }

  /// The ids with what is put around them.
  func callAsFunction(_ ids: [Int32]) -> [Int32] {
    parts.flatMap { part in
      switch part {
      case .text: ids
      case .tokens(let tokens): tokens
      }
    }
  }
}
