import Recipe

/// A value of a recipe's text.
func read<Value: Decodable>(
  _ yaml: String, as type: Value.Type = Value.self
) throws -> Value {
  try RecipeDecoder.decode(yaml: yaml, file: "r.yaml")
}

/// What is said of a recipe's text that is wrong.
func message<Value: Decodable>(_ yaml: String, as type: Value.Type) -> String {
  do {
    return "no error: \(try read(yaml, as: type))"
  } catch {
    return "\(error)"
  }
}
