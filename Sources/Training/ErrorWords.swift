extension Error {
  /// What is wrong with a JSON text, in words and without the decoder's own types.
  var inWords: String {
    func place(_ context: DecodingError.Context, _ key: (any CodingKey)? = nil) -> String {
      let keys = context.codingPath + (key.map { [$0] } ?? [])
      return keys.isEmpty ? "the text" : keys.map(\.stringValue).joined(separator: ".")
    }
    switch self as any Error {
    case DecodingError.keyNotFound(let key, let context):
      return "\(place(context, key)) is missing"
    case DecodingError.typeMismatch(let type, let context):
      return "\(place(context)) is no \(type)"
    case DecodingError.valueNotFound(let type, let context):
      return "\(place(context)) is null, \(type) was expected"
    case DecodingError.dataCorrupted(let context):
      // Foundation says that a text with a number that no type holds is no JSON.
      return context.codingPath.isEmpty
        ? "it is no JSON, or holds a number that is too large"
        : "\(place(context)): \(context.debugDescription)"
    default:
      return "\(self)"
    }
  }
}
