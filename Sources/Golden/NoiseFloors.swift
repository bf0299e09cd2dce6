/// The largest differences between f32 and f64 in a case's outputs: for each of them, or for all.
struct NoiseFloors: Decodable, Sendable {
  private let each: [String: Double]
  private let all: Double

  /// Reads a number for each output, or one for all, which may be written as a string; outputs of
  /// whole numbers have none.
  init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    if let each = try? value.decode([String: Double].self) {
      (self.each, all) = (each, 0)
    } else if let number = try (try? value.decode(Double.self)) ?? Double(value.decode(String.self))
    {
      (each, all) = ([:], number)
    } else if try value.decode(String.self) == "integers" {
      (each, all) = ([:], 0)
    } else {
      throw DecodingError.dataCorruptedError(in: value, debugDescription: "it is not a number")
    }
  }

  /// The noise floor of an output, 0 where it is unknown.
  subscript(_ name: String) -> Double { each[name] ?? all }
}
